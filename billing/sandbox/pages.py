"""The hosted pages: checkout, and the customer's portal. Plain forms, no script."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from html import escape

from billing.sandbox.errors import StripeError
from billing.sandbox.params import Params
from billing.sandbox.resources import checkout, subscriptions
from billing.sandbox.store import Object, Store

_FRAME = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width,initial-scale=1"><style>
*{{box-sizing:border-box}}body{{margin:0;font:16px/1.5 system-ui,sans-serif;color:#1a1f36;background:#f6f8fa}}
.band{{background:#ffe8b8;color:#5b3a00;padding:.5rem 1rem;text-align:center;font-size:.875rem}}
main{{max-width:28rem;margin:3rem auto;background:#fff;border-radius:12px;padding:2rem;box-shadow:0 4px 24px #1a1f3618}}
h1{{font-size:1.25rem;margin:0 0 1rem}}label{{display:block;font-size:.875rem;font-weight:600;margin:1rem 0 .25rem}}
input{{width:100%;font:inherit;padding:.6rem .75rem;border:1px solid #c9d1dc;border-radius:8px}}
.row{{display:flex;gap:.75rem}}button{{width:100%;margin-top:1.5rem;font:inherit;font-weight:600;color:#fff;background:#4338ca;
border:0;border-radius:8px;padding:.75rem;cursor:pointer}}button.quiet{{background:#fff;color:#1a1f36;border:1px solid #c9d1dc;margin-top:.5rem}}
a{{color:#4338ca}}dl{{display:flex;justify-content:space-between;margin:.25rem 0}}dd{{margin:0;font-variant-numeric:tabular-nums}}
.error{{background:#fdecec;color:#8c1d18;border-radius:8px;padding:.6rem .75rem}}small{{color:#5c6475}}
input:focus,button:focus-visible{{outline:3px solid #a5b4fc;outline-offset:1px}}</style></head>
<body><div class="band">Stripe sandbox on this machine: no real money moves.</div><main>{body}</main></body></html>"""


@dataclass(frozen=True, slots=True)
class Page:
    """An answer to a browser."""

    status: int
    body: bytes
    location: str = ""


def serve(store: Store, method: str, path: str, form: Params) -> Page:
    """The page at the path. Raises StripeError for a session that does not exist."""
    id = path.rpartition("/")[2]
    if path.startswith("/p/session/"):
        return _portal(store, method, id, form)
    session = store.get("checkout.session", id)
    if method == "POST":
        try:
            session = checkout.pay(store, id, str(form.get("card", "")))
        except StripeError as error:
            return _page(402, "Checkout", _checkout(store, session, str(error)))
    if session["status"] == "complete":
        return Page(303, b"", session["success_url"].replace("{CHECKOUT_SESSION_ID}", id))
    return _page(200, "Checkout", _checkout(store, session, ""))


def _checkout(store: Store, session: Object, error: str) -> str:
    rows = ""
    for item in session["sandbox_items"]:
        price = store.get("price", item["price"])
        product = store.get("product", price["product"])
        metered = price["recurring"]["usage_type"] == "metered"
        cost = "by usage, each month" if metered else f"${Decimal(price['unit_amount_decimal']) / 100:.2f} a month"
        rows += f"<dl><dt>{escape(product['name'])}</dt><dd>{cost}</dd></dl>"
    shown = f'<p class="error" role="alert">{escape(error)}</p>' if error else ""
    back = f'<p><a href="{escape(session["cancel_url"], quote=True)}">← Back</a></p>' if session["cancel_url"] else ""
    return f"""{back}<h1>Subscribe</h1>{rows}<dl><dt>Due today</dt><dd>$0.00</dd></dl>{shown}
<form method="post"><label for="card">Card number</label>
<input id="card" name="card" inputmode="numeric" autocomplete="cc-number" value="4242 4242 4242 4242" required>
<div class="row"><div><label for="expiry">Expiry</label><input id="expiry" name="expiry" value="12 / 34" required></div>
<div><label for="cvc">CVC</label><input id="cvc" name="cvc" value="123" required></div></div>
<button>Subscribe</button></form><p><small>4000 0000 0000 0002 is declined.</small></p>"""


def _portal(store: Store, method: str, id: str, form: Params) -> Page:
    session = store.get("billing_portal.session", id)
    if method == "POST":
        subscription = store.get("subscription", str(form.get("subscription", "")))
        if subscription["customer"] != session["customer"]:
            raise StripeError("No such subscription.", "resource_missing", status=404)
        if form.get("act") == "cancel" and subscription["status"] == "active":
            subscriptions.update(store, {"cancel_at_period_end": "true"}, subscription["id"])
        elif form.get("act") == "cancel_now" and subscription["status"] == "active":
            subscriptions.cancel(store, {"invoice_now": "true"}, subscription["id"])
        elif form.get("act") == "keep" and subscription["status"] == "active":
            subscriptions.update(store, {"cancel_at_period_end": "false"}, subscription["id"])
        return Page(303, b"", f"/p/session/{id}")
    parts = []
    for subscription in store.all("subscription", session["customer"]):
        end = _day(subscription["items"]["data"][0]["current_period_end"])
        if subscription["status"] != "active":
            parts.append(f"<dl><dt>Subscription</dt><dd>{escape(subscription['status'])}</dd></dl>")
            continue
        ending = subscription["cancel_at_period_end"]
        act, words = ("keep", "Keep the subscription") if ending else ("cancel", f"Cancel on {end}")
        parts.append(
            f"<dl><dt>Subscription</dt><dd>{'ends' if ending else 'renews'} on {end}</dd></dl>"
            f'<form method="post"><input type="hidden" name="subscription" value="{subscription["id"]}">'
            f'<button class="quiet" name="act" value="{act}">{words}</button>'
            f'<button class="quiet" name="act" value="cancel_now">Cancel now and invoice what was used</button></form>'
        )
    for invoice in store.all("invoice", session["customer"]):
        parts.append(
            f"<dl><dt>{escape(invoice['number'] or 'Draft')} · {_day(invoice['created'])}</dt>"
            f"<dd>${invoice['total'] / 100:.2f} {escape(invoice['status'])}</dd></dl>"
        )
    back = session["return_url"] or ""
    link = f'<p><a href="{escape(back, quote=True)}">← Back</a></p>' if back else ""
    return _page(
        200, "Billing portal", f"{link}<h1>Your subscription and invoices</h1>{''.join(parts) or '<p>None yet.</p>'}"
    )


def _day(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%-d %B %Y")


def _page(status: int, title: str, body: str) -> Page:
    return Page(status, _FRAME.format(title=escape(title), body=body).encode())
