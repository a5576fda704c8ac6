"""Signed receipts: any byte that is not as it was is found, by the command and by the script of the docs."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
import tracemalloc
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from functools import cache
from io import StringIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import LazySettings
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from hypothesis import example, given, settings
from hypothesis import strategies as st

from billing.metering.models import UsageEvent
from billing.receipts import keys, making
from billing.receipts.chain import Chain, KeyUnknown, ReceiptInvalid, _canonical, canonical, check
from billing.receipts.models import ReceiptKey
from billing.statements.periods import Period
from portal.accounts.keys.issuing import Limits, issue
from portal.accounts.models import User, Workspace
from portal.kit import ids
from tests.fixtures.people import signed_in
from tests.house.tree import ROOT

SCRIPT = ROOT / "docs" / "verify_receipt.py"
THEN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def used(workspace: Workspace, n: int, nanos: int = 1_234) -> list[str]:
    """The ids of n events, two a microsecond."""
    events = [
        UsageEvent(
            id=ids.make("use"), request_id=ids.make("req"), workspace_id=workspace.pk, model="olga/模型", version_id="v",
            protocol="openai", units={"request": 1, "input_token": at}, price_id="price_1", cost_nanos=nanos,
            latency_ms=1, recorded_at=THEN + timedelta(microseconds=at // 2),
        )
        for at in range(n)
    ]  # fmt: skip
    UsageEvent.objects.bulk_create(events, batch_size=500)
    return sorted(event.id for event in events)


def script(receipt: bytes, known: dict[str, Any]) -> dict[str, Any] | None:
    """What the script of the docs says, run as it is; None where it refuses."""
    with NamedTemporaryFile(suffix=".jsonl") as file, NamedTemporaryFile("w", suffix=".json") as beside:
        file.write(receipt)
        file.flush()
        json.dump(known, beside)
        beside.flush()
        argv, sys.argv = sys.argv, [str(SCRIPT), file.name, beside.name]
        told = StringIO()
        try:
            with redirect_stdout(told):
                runpy.run_path(str(SCRIPT), run_name="__main__")
        except (Exception, SystemExit):
            return None
        finally:
            sys.argv = argv
        said: dict[str, Any] = json.loads(told.getvalue())
        return said


@cache
def small() -> tuple[bytes, dict[str, Any]]:
    """A receipt of four events, without a database, and the keys."""
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    chain = Chain()
    lines = [chain.begin({"workspace": "ws_1", "from": "2026-01-01", "to": "2026-02-01"})]
    for at in range(4):
        lines.append(
            chain.add({"id": f"use_{at}", "model": "olga/模型", "units": {"request": 1}, "cost_nanos": 10**at})
        )
    lines.append(chain.end("rkey_1", key))
    public = key.public_key().public_bytes_raw().hex()
    return b"".join(lines), {"keys": [{"id": "rkey_1", "public_key": public}]}


def holds(receipt: bytes) -> bool:
    """Whether both readers, who must be of one mind, take the receipt for what was signed."""
    known = small()[1]
    try:
        check(receipt.splitlines(keepends=True), {"rkey_1": known["keys"][0]["public_key"]})
        ours = True
    except (ReceiptInvalid, KeyUnknown):
        ours = False
    theirs = script(receipt, known) is not None
    assert ours == theirs
    return ours


def test_a_receipt_that_nobody_touched_holds() -> None:
    receipt, known = small()
    assert holds(receipt)
    said = script(receipt, known)
    assert said is not None
    assert (said["events"], said["cost_nanos"], said["units"]) == (4, 1_111, {"request": 4})


@settings(max_examples=300)
@given(st.data())
def test_any_changed_byte_is_found(data: st.DataObject) -> None:
    receipt = small()[0]
    at = data.draw(st.integers(0, len(receipt) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != receipt[at]))
    assert not holds(receipt[:at] + bytes([other]) + receipt[at + 1 :])


@settings(max_examples=100)
@given(st.data())
def test_any_added_or_dropped_byte_is_found(data: st.DataObject) -> None:
    receipt = small()[0]
    at = data.draw(st.integers(0, len(receipt)))
    added = data.draw(st.one_of(st.binary(max_size=3), st.sampled_from([b"\n", b" ", b"\r", b"{}\n", b"\xef\xbb\xbf"])))
    dropped = data.draw(st.integers(0, 3))
    changed = receipt[:at] + added + receipt[at + dropped :]
    assert holds(changed) == (changed == receipt)


@settings(max_examples=100)
@example([0, 1, 2, 3, 4])
@example([1, 2, 3, 4, 5])
@example([0, 5])
@example([0, 1, 2, 3, 4, 5, 5])
@example([])
@given(st.lists(st.integers(0, 5), max_size=8))
def test_any_dropped_doubled_or_swapped_line_is_found(order: list[int]) -> None:
    lines = small()[0].splitlines(keepends=True)
    assert holds(b"".join(lines[at] for at in order)) == (order == [0, 1, 2, 3, 4, 5])


def test_hexadecimal_and_names_have_one_form() -> None:
    lines = small()[0].splitlines(keepends=True)
    last = json.loads(lines[-1])
    for signature in (last["signature"].upper(), " " + last["signature"]):
        assert not holds(b"".join([*lines[:-1], canonical({**last, "signature": signature}) + b"\n"]))
    for extra in ({"hash": "00"}, {"more": 1}):
        assert not holds(b"".join([*lines[:-1], canonical({**last, **extra}) + b"\n"]))


@given(
    st.recursive(
        st.one_of(st.text(), st.integers(-(2**63), 2**63), st.none()),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_it_is_written_as_it_is_read(value: Any) -> None:
    assert canonical(value) == _canonical(value)


def test_the_interface_gives_it_and_the_command_checks_it(workspace: Workspace, tmp_path: Path) -> None:
    expected = used(workspace, 2 * making.AT_ONCE + 3)
    _, secret = issue(workspace, "reads")
    answer = Client().get(
        "/v1/usage/receipt?from=2026-03-01&to=2026-03-01", headers={"authorization": f"Bearer {secret}"}
    )
    assert answer.status_code == 200
    receipt = b"".join(answer.streaming_content)  # type: ignore[arg-type] # bytes here
    events = [json.loads(line)["event"] for line in receipt.splitlines()[1:-1]]
    assert sorted(event["id"] for event in events) == expected
    assert [e["recorded_at"] for e in events] == sorted(e["recorded_at"] for e in events)
    file, known = tmp_path / "receipt.jsonl", tmp_path / "keys.json"
    file.write_bytes(receipt)
    known.write_bytes(Client().get("/.well-known/mercato-receipt-key.json").content)
    status, said = verified(str(file))
    assert (status, said["valid"], said["events"], said["cost_nanos"]) == (0, True, 2_003, 2_003 * 1_234)
    assert (said["workspace"], said["from"], said["cost"]) == (
        workspace.pk,
        "2026-03-01T00:00:00.000000Z",
        "0.002471702",
    )
    assert verified(str(file), "--keys", str(known))[0] == 0
    done = subprocess.run([sys.executable, str(SCRIPT), str(file), str(known)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["cost_nanos"] == said["cost_nanos"]

    file.write_bytes(receipt.replace(b'"cost_nanos":1234', b'"cost_nanos":1235', 1))
    status, said = verified(str(file))
    assert (status, said["valid"]) == (1, False)
    assert "line 2" in said["reason"]
    assert subprocess.run([sys.executable, str(SCRIPT), str(file), str(known)], capture_output=True).returncode == 1


def verified(*arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit status and the last line of the command."""
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("verify_receipt", *arguments, stdout=out)
    assert isinstance(ended.value.code, int)
    return ended.value.code, json.loads(out.getvalue().splitlines()[-1])


def test_what_cannot_be_checked_is_neither_good_nor_bad(workspace: Workspace, tmp_path: Path) -> None:
    file, known = tmp_path / "receipt.jsonl", tmp_path / "keys.json"
    file.write_bytes(small()[0])
    assert verified(str(file)) == (
        2,
        {"valid": None, "reason": "signed with the key rkey_1, which is not among those given"},
    )
    assert verified(str(tmp_path / "none"))[0] == 2
    known.write_text("[]")
    assert verified(str(file), "--keys", str(known))[0] == 2
    known.write_text(json.dumps(small()[1]))
    assert verified(str(file), "--keys", str(known))[0] == 0
    file.write_bytes(small()[0][:-30])
    assert verified(str(file), "--keys", str(known))[0] == 1


def test_receipts_hold_after_their_key_was_rotated(workspace: Workspace, settings: LazySettings) -> None:
    used(workspace, 3)
    period = Period(THEN, THEN + timedelta(hours=1))
    before = b"".join(making.receipt(workspace.pk, period, timezone.now()))
    call_command("rotate_receipt_key", stdout=StringIO())
    after = b"".join(making.receipt(workspace.pk, period, timezone.now()))
    known = {key["id"]: key["public_key"] for key in keys.published()["keys"]}
    signers = {check(receipt.splitlines(keepends=True), known).signed["key"] for receipt in (before, after)}
    assert len(signers) == 2
    assert keys.published()["keys"][0]["retired_at"] is None
    assert keys.published()["keys"][1]["retired_at"]
    # Sealed with a secret that is gone: the key cannot sign any more, and another takes its place.
    settings.SECRET_KEY = "another secret"
    again = b"".join(making.receipt(workspace.pk, period, timezone.now()))
    known = {key["id"]: key["public_key"] for key in keys.published()["keys"]}
    assert check(again.splitlines(keepends=True), known).signed["key"] not in signers
    assert ReceiptKey.objects.filter(retired_at=None).count() == 1


def test_the_private_half_is_nowhere_to_be_read(workspace: Workspace) -> None:
    key_id, private = keys.current()
    row = ReceiptKey.objects.get(pk=key_id)
    assert private.private_bytes_raw().hex() not in row.sealed
    assert private.private_bytes_raw().hex() not in json.dumps(keys.published())


def test_a_receipt_is_for_those_who_may_read_the_usage(workspace: Workspace, owner: User, stranger: User) -> None:
    used(workspace, 3)
    query = "?from=2026-03-01&to=2026-03-01"
    mine = b"".join(signed_in(owner).get(f"/billing/statement/receipt{query}").streaming_content)  # type: ignore[arg-type]
    theirs = b"".join(signed_in(stranger).get(f"/billing/statement/receipt{query}").streaming_content)  # type: ignore[arg-type]
    assert (len(mine.splitlines()), len(theirs.splitlines())) == (5, 2)
    _, secret = issue(workspace, "calls only", limits=Limits(scopes=["inference"]))
    answer = Client().get(f"/v1/usage/receipt{query}", headers={"authorization": f"Bearer {secret}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "scope_missing")
    _, secret = issue(workspace, "reads")
    for wrong in ("?from=2999-01-01&to=2999-01-02", "?from=x", "?from=2026-03-02&to=2026-03-01"):
        answer = Client().get(f"/v1/usage/receipt{wrong}", headers={"authorization": f"Bearer {secret}"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "period_invalid")


def test_memory_does_not_grow_with_the_usage(workspace: Workspace) -> None:
    used(workspace, 12 * making.AT_ONCE)

    def peak(events: int) -> int:
        period = Period(THEN, THEN + timedelta(microseconds=events // 2))
        tracemalloc.start()
        for _some in making.receipt(workspace.pk, period, timezone.now()):
            pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(10)
    assert peak(12 * making.AT_ONCE) < 1.5 * peak(2 * making.AT_ONCE)
