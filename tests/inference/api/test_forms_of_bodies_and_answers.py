"""JSON, XML and multipart, chosen by Content-Type and Accept, for answers and for refusals."""

from __future__ import annotations

import base64
import io
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image

from inference.api import formats
from tests.fixtures.serving import EMAIL, Installation
from tests.inference.api.test_every_answer_says import ask

PREDICT = "/v1/models/bench/painter/predictions"
CHAT = {"model": "bench/m", "messages": [{"role": "user", "content": "hello"}]}
XML = {"Accept": "application/xml"}
DTD = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "found"),
    [
        ("POST", PREDICT, {"input": {"prompt": "x"}}, 200, "./status"),
        ("POST", PREDICT, {"input": {"prompt": 7}}, 422, "./error/param"),
        ("POST", PREDICT, b"{", 400, "./error/message"),
        ("POST", "/v1/chat/completions", CHAT, 200, "./choices/list-item/message/content"),
        ("GET", "/v1/models", None, 200, "./data/list-item/id"),
        ("GET", "/v1/predictions/none", None, 404, "./error/code"),
        ("GET", "/v1/nothing", None, 404, "./error/code"),
        ("PUT", "/v1/usage", None, 405, "./error/code"),
    ],
    ids=str,
)
def test_who_takes_xml_only_gets_xml(
    installation: Installation, method: str, path: str, body: Any, status: int, found: str
) -> None:
    got, headers, content = ask(installation, method, path, body, installation.key, **XML)
    assert got == status, content
    assert headers["content-type"] == "application/xml; charset=utf-8"
    node = ElementTree.fromstring(content).find(found)
    assert node is not None
    assert node.text


def test_without_a_key_the_refusal_is_xml_too(installation: Installation) -> None:
    status, headers, content = ask(installation, "POST", PREDICT, {"input": {}}, **XML)
    assert (status, ElementTree.fromstring(content).findtext("./error/code")) == (401, "invalid_api_key")


def test_a_queued_prediction_is_asked_for_in_xml(installation: Installation) -> None:
    body, header = {"input": {"prompt": "later"}}, {**XML, "Prefer": "respond-async"}
    status, _, content = ask(installation, "POST", PREDICT, body, installation.key, **header)
    assert status == 202
    name = ElementTree.fromstring(content).findtext("./id")
    status, headers, content = ask(installation, "GET", f"/v1/predictions/{name}", None, installation.key, **XML)
    assert (status, ElementTree.fromstring(content).findtext("./input/prompt")) == (200, "later")


@pytest.mark.parametrize("path", [PREDICT, "/v1/chat/completions", "/v1/models", "/v1/usage", "/v1/key"])
def test_a_form_that_there_is_not_is_406_everywhere(installation: Installation, path: str) -> None:
    method = "GET" if path in ("/v1/models", "/v1/usage", "/v1/key") else "POST"
    status, headers, content = ask(
        installation, method, path, {}, installation.key, Accept="image/png, text/html;q=0.5"
    )
    assert (status, json.loads(content)["error"]["code"]) == (406, "not_acceptable")
    assert headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    ("accept", "xml"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("application/json, application/xml", False),
        ("application/xml, application/json", True),
        ("application/xml;q=0.5, application/json;q=0.9", False),
        ("application/json;q=0, text/xml", True),
        ("text/event-stream, application/xml;q=0.1", False),
        ("image/png, */*;q=0.1", False),
    ],
)
def test_the_form_that_is_liked_best_is_taken(accept: str, xml: bool) -> None:
    assert formats.wants_xml(accept) is xml


def test_xml_can_say_whatever_json_can() -> None:
    told = {"a b": 1, "<x>": [True, None, {"y": "\x00&<"}], "ok": "1 < 2", "1st": {}}
    root = ElementTree.fromstring(formats.xml_of(json.dumps(told).encode()))
    assert [node.get("key", node.tag) for node in root] == ["a b", "<x>", "ok", "1st"]
    assert root.findtext("ok") == "1 < 2"
    assert root[1][0].text == "true"
    assert root[1][2].findtext("y") == "\ufffd&<"


@pytest.mark.parametrize(
    "body",
    [
        f"{DTD}<prediction><input><prompt>&c;</prompt></input></prediction>",
        f"{OUTSIDE}<prediction><input><prompt>&f;</prompt></input></prediction>",
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><prediction><input><prompt>x</prompt></input></prediction>',
        "<a>" * 100 + "</a>" * 100,
        "<a>" * 50_000 + "</a>" * 50_000,
        "<prediction><input><prompt>x</prompt></prediction>",
        "<prediction><input><prompt>\x01</prompt></input></prediction>",
        "<prediction/>",
        "x",
        "",
    ],
    ids=lambda body: body[:40],
)
def test_xml_that_would_grow_or_reach_out_or_is_none_is_refused(installation: Installation, body: str) -> None:
    kind = {"Content-Type": "application/xml"}
    status, headers, content = ask(installation, "POST", PREDICT, body.encode(), installation.key, **kind)
    assert status == 400, content
    assert b"root:" not in content


def test_texts_that_look_like_numbers_stay_as_they_were_written(installation: Installation) -> None:
    for text in ("007", "1.50", "2026-01-31 12:00:00", "+5", "1e400"):
        body = f"<prediction><input><prompt>{text}</prompt></input></prediction>".encode()
        kind = {"Content-Type": "text/xml"}
        status, _, content = ask(installation, "POST", PREDICT, body, installation.key, **kind)
        assert status == 200, content
        assert installation.upstream.seen[-1]["prompt"] == text
    body = f"<prediction><input><prompt>x</prompt><n>{'9' * 25}</n></input></prediction>".encode()
    status, _, content = ask(installation, "POST", PREDICT, body, installation.key, **{"Content-Type": "text/xml"})
    assert status in (400, 422), content


class Described(BaseHTTPRequestHandler):
    """An Open Inference Protocol server that says what its model takes; a test key asks it nothing else."""

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        inputs = [{"name": "image", "datatype": "FP32", "shape": [-1, 28, 28, 1]}]
        outputs = [{"name": "scores", "datatype": "FP32", "shape": [-1, 3]}]
        data = json.dumps({"name": "eyes", "inputs": inputs, "outputs": outputs}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture(scope="module")
def sees(installation: Installation) -> Iterator[str]:
    """A test key, where there is `bench/eyes` for images."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Described)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    installation.manage(
        "add_model", "bench/eyes", "--task", "image-classification", "--engine", "oip",
        "--source", f"http://127.0.0.1:{server.server_port}",
    )  # fmt: skip
    yield installation.manage("create_key", EMAIL, "--test", "--rpm", "0")
    server.shutdown()
    server.server_close()


def picture() -> bytes:
    held = io.BytesIO()
    Image.new("L", (28, 28), 7).save(held, "PNG")
    return held.getvalue()


def form(content: bytes, boundary: bytes = b"xyz", end: bytes = b"--xyz--\r\n") -> bytes:
    head = b'--%s\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    return head % boundary + content + b"\r\n" + end


def test_a_picture_goes_as_a_file_and_says_what_it_says_in_json(installation: Installation, sees: str) -> None:
    path = "/v1/models/bench/eyes/predictions"
    kind = {"Content-Type": "multipart/form-data; boundary=xyz"}
    status, headers, content = ask(installation, "POST", path, form(picture()), sees, **kind)
    assert status == 200, content
    assert headers["x-mercato-cost"] == "0.00"
    body = {"input": {"image": base64.b64encode(picture()).decode()}}
    assert json.loads(ask(installation, "POST", path, body, sees)[2])["output"] == json.loads(content)["output"]
    again = {**kind, "Idempotency-Key": "picture"}
    seen = [ask(installation, "POST", path, form(picture()), sees, **again)[2] for _ in range(2)]
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data; boundary=other", form(b"x")),
        ("multipart/form-data", form(b"x")),
        ("multipart/form-data; boundary=", form(b"x")),
        ("multipart/form-data; boundary=xyz", b""),
        ("multipart/form-data; boundary=xyz", form(b"x").replace(b"name=", b"nome=")),
        ("multipart/form-data; boundary=xyz", b"--xyz\r\n" * 2_000),
    ],
)
def test_a_form_that_is_broken_is_refused_by_name(
    installation: Installation, sees: str, kind: str, body: bytes
) -> None:
    path = "/v1/models/bench/eyes/predictions"
    for more in ({}, {"Idempotency-Key": re.sub(r"\W", "", kind)}):
        status, _, content = ask(installation, "POST", path, body, sees, **{"Content-Type": kind, **more})
        assert status in (400, 422), content
        assert json.loads(content)["error"]["code"] in ("invalid_form", "input_invalid", "idempotency_key_reused")


def test_no_boundary_is_400(installation: Installation, sees: str) -> None:
    kind = {"Content-Type": "multipart/form-data"}
    status, _, content = ask(installation, "POST", "/v1/models/bench/eyes/predictions", form(b"x"), sees, **kind)
    assert (status, json.loads(content)["error"]["code"]) == (400, "invalid_form")
