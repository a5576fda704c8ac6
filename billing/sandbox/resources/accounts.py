"""Connect: the accounts of those who are paid out, by the second API (JSON; what is not asked for is null)."""

from __future__ import annotations

from typing import Any

from billing.sandbox.errors import StripeError
from billing.sandbox.params import Params, accept, merged, takes
from billing.sandbox.resources import thin
from billing.sandbox.store import Object, Store

INCLUDED = (
    "configuration.recipient",
    "configuration.customer",
    "configuration.merchant",
    "defaults",
    "future_requirements",
    "identity",
    "requirements",
)
CAPABILITY = "stripe_balance.stripe_transfers"
LINK_S = 600
DUE = ("identity.individual.given_name", "identity.individual.surname", "external_account")


@takes(
    "account_token", "include", "metadata", "display_name", "contact_email", "contact_phone", "dashboard", "defaults.currency",
    "defaults.responsibilities.fees_collector", "defaults.responsibilities.losses_collector", "defaults.locales", "defaults.profile",
    "identity.country", "identity.entity_type", "identity.individual", "identity.business_details",
    "configuration.recipient.capabilities.stripe_balance.stripe_transfers.requested",
)  # fmt: skip
def create(store: Store, given: Params) -> Object:
    wanted = given.get("configuration", {}).get("recipient")
    identity, defaults = given.get("identity", {}), given.get("defaults", {})
    responsibilities = {
        "fees_collector": "application",
        "losses_collector": "application",
        **defaults.get("responsibilities", {}),
    }
    body = {
        "object": "v2.core.account",
        "applied_configurations": [] if wanted is None else ["recipient"],
        "closed": False,
        "contact_email": given.get("contact_email"),
        "contact_phone": given.get("contact_phone"),
        "created": thin.moment(store.now()),
        "dashboard": given.get("dashboard", "express"),
        "display_name": given.get("display_name"),
        "metadata": given.get("metadata", {}),
        "sandbox_defaults": {
            "currency": defaults.get("currency", "usd"),
            "locales": None,
            "payout_methods": None,
            "profile": None,
            "responsibilities": {**responsibilities, "requirements_collector": "stripe"},
        },
        "sandbox_identity": {
            "attestations": None,
            "business_details": None,
            "country": str(identity.get("country") or "us").lower(),
            "entity_type": identity.get("entity_type"),
            "individual": None,
        },
        "sandbox_status": None if wanted is None else "restricted",
        "sandbox_due": list(DUE),
    }
    account = store.create("v2.core.account", "acct", body)
    thin.emit(store, "v2.core.account.created", account, {})
    return _shown(account, given.get("include", []))


@takes("include")
def retrieve(store: Store, given: Params, id: str) -> Object:
    return _shown(store.get("v2.core.account", id), given.get("include", []))


@takes("include", "metadata", "display_name", "contact_email", "contact_phone", "dashboard", "defaults", "identity",
       "configuration.recipient.capabilities.stripe_balance.stripe_transfers.requested",
       "configuration.recipient.applied")  # fmt: skip
def update(store: Store, given: Params, id: str) -> Object:
    account = _running(store, id)
    account["metadata"] = merged(account["metadata"], given)
    account |= {
        name: given[name] for name in ("display_name", "contact_email", "contact_phone", "dashboard") if name in given
    }
    if "recipient" in given.get("configuration", {}) and account["sandbox_status"] is None:
        account |= {"applied_configurations": ["recipient"], "sandbox_status": "restricted"}
    store.save(account)
    thin.emit(store, "v2.core.account.updated", account, {})
    return _shown(account, given.get("include", []))


@takes("applied_configurations")
def close(store: Store, given: Params, id: str) -> Object:
    account = store.save({**_running(store, id), "closed": True, "applied_configurations": []})
    if account["sandbox_status"] is not None:
        stand(store, id, "restricted")
    thin.emit(store, "v2.core.account.closed", account, {})
    return _shown(store.get("v2.core.account", id), [])


def _running(store: Store, id: str) -> Object:
    account = store.get("v2.core.account", id)
    if account["closed"]:
        raise StripeError("The account is closed.", "account_closed")
    return account


def _shown(account: Object, include: list[str]) -> Object:
    for at, name in enumerate(include):
        if name not in INCLUDED:
            raise StripeError(f"Invalid include: {name}", "invalid_fields", f"include[{at}]")
    told: Any = {
        "recipient": _recipient(account) if "configuration.recipient" in include else None,
        "customer": None,
        "merchant": None,
    }
    return {
        **account,
        "configuration": told if any(name.startswith("configuration.") for name in include) else None,
        "defaults": account["sandbox_defaults"] if "defaults" in include else None,
        "identity": account["sandbox_identity"] if "identity" in include else None,
        "requirements": _requirements(account) if "requirements" in include else None,
        "future_requirements": {"entries": [], "alternatives": [], "summary": None, "minimum_transition_date": None}
        if "future_requirements" in include
        else None,
    }


def _recipient(account: Object) -> Object | None:
    status = account["sandbox_status"]
    if status is None:
        return None
    due = {"code": "requirements_past_due", "resolution": "provide_info"}
    one = {"status": status, "status_details": [] if status == "active" else [due]}
    balance = {"stripe_transfers": one, "payouts": one}
    return {
        "applied": not account["closed"],
        "capabilities": {"bank_accounts": None, "cards": None, "stripe_balance": balance},
    }


def _requirements(account: Object) -> Object:
    entries = [
        {
            "awaiting_action_from": "user",
            "description": name,
            "errors": [],
            "impact": {
                "restricts_capabilities": [
                    {"capability": CAPABILITY, "configuration": "recipient", "deadline": {"status": "currently_due"}}
                ]
            },
            "minimum_deadline": {"status": "currently_due"},
            "reference": None,
            "requested_reasons": [{"code": "routine_onboarding"}],
        }
        for name in account["sandbox_due"]
    ]
    summary = {"minimum_deadline": {"status": "currently_due", "time": None}} if entries else None
    return {"alternatives": [], "entries": entries, "summary": summary}


def person(store: Store, account: Object, given_name: str, surname: str) -> Object:
    """The individual that the account is of."""
    now = thin.moment(store.now())
    return {
        "id": f"person_{account['id'][5:]}",
        "object": "v2.core.account_person",
        "account": account["id"],
        "created": now,
        "given_name": given_name,
        "surname": surname,
        "updated": now,
    }


def stand(store: Store, id: str, status: str) -> Object:
    """The account may be paid (active), or not (restricted)."""
    account = store.get("v2.core.account", id)
    if account["sandbox_status"] == status:
        return account
    account |= {"sandbox_status": status, "sandbox_due": [] if status == "active" else list(DUE)}
    store.save(account)
    thin.emit(store, "v2.core.account[requirements].updated", account, {})
    told = {"updated_capability": CAPABILITY}
    thin.emit(store, "v2.core.account[configuration.recipient].capability_status_updated", account, told)
    return account


@takes("use_case.type", "use_case.account_onboarding", "use_case.account_update", required=("account", "use_case"))
def create_link(store: Store, given: Params) -> Object:
    _running(store, given["account"])
    kind = given["use_case"].get("type")
    if kind not in ("account_onboarding", "account_update"):
        raise StripeError(
            "Invalid use_case.type: must be one of account_onboarding, account_update", param="use_case.type"
        )
    flow = given["use_case"].get(kind) or {}
    accept(
        flow,
        ("return_url", "collection_options.fields", "collection_options.future_requirements"),
        ("refresh_url",),
    )
    body = {
        "account": given["account"],
        "created": thin.moment(store.now()),
        "expires_at": thin.moment(store.now() + LINK_S),
        "use_case": {"type": kind, kind: {"return_url": None, "collection_options": None, **flow}},
        "sandbox_until": store.now() + LINK_S,
        "sandbox_used": False,
    }
    link = store.create("v2.core.account_link", "acl", body)
    told = store.save({**link, "url": f"{store.base}/connect/{link['id']}"})
    return {name: value for name, value in told.items() if name != "id"}
