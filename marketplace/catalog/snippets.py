"""Calls as code that works when pasted."""

from __future__ import annotations

import json
import shlex
from typing import Any

from marketplace.tasks.task import Task


def of(slug: str, task: Task, example: Any, site: str, key: str = "") -> list[dict[str, str]]:
    """Tabs with a title, a language and the code. Without a key the code reads MERCATO_API_KEY."""
    if task.name == "chat":
        return [
            _curl(f"{site}/v1/chat/completions", {"model": slug, **example}, key),
            _openai(slug, site, key, example["messages"][-1]["content"]),
        ]
    if task.name == "image-generation":
        body = {"model": slug, **example}
        return [_curl(f"{site}/v1/images/generations", body, key), _openai_images(slug, example, site, key)]
    tabs = [
        _curl(f"{site}/v1/models/{slug}/predictions", {"input": example}, key),
        _python(f"{site}/v1/models/{slug}/predictions", {"input": example}, key),
    ]
    if "openai" in task.protocols:
        called = (
            _openai_embeddings(slug, example, site, key)
            if task.name == "embeddings"
            else _openai(slug, site, key, str(example.get("prompt", "")))
        )
        tabs.append(called)
    return tabs


def _curl(url: str, body: Any, key: str) -> dict[str, str]:
    shown = f'"Authorization: Bearer {key or "$MERCATO_API_KEY"}"'
    code = f"curl {url} \\\n  -H {shown} \\\n  -H 'Content-Type: application/json' \\\n  -d {shlex.quote(json.dumps(body))}"
    return {"title": "curl", "language": "sh", "code": code}


def _python(url: str, body: Any, key: str) -> dict[str, str]:
    where = f'"{key}"' if key else 'os.environ["MERCATO_API_KEY"]'
    code = (
        f"import json, os, urllib.request\n\nrequest = urllib.request.Request(\n    {url!r},\n"
        f"    json.dumps({body!r}).encode(),\n"
        f'    {{"Authorization": "Bearer " + {where}, "Content-Type": "application/json"}},\n)\n'
        f"print(json.load(urllib.request.urlopen(request)))"
    )
    return {"title": "Python", "language": "python", "code": code}


def _openai_images(slug: str, example: Any, site: str, key: str) -> dict[str, str]:
    code = (
        f"answer = client.images.generate(\n    model={slug!r},\n    prompt={example['prompt']!r},\n    n=2,\n"
        f'    extra_body={{"seed": 1}},\n)\n'
        f"for at, image in enumerate(answer.data):\n"
        f'    with open(f"image-{{at}}.png", "wb") as file:\n        file.write(base64.b64decode(image.b64_json))'
    )
    return _by_sdk(code, site, key, imports="base64, os")


def _openai_embeddings(slug: str, example: Any, site: str, key: str) -> dict[str, str]:
    code = (
        f"made = client.embeddings.create(model={slug!r}, input={example.get('texts', [])!r})\n"
        f"print([item.embedding[:4] for item in made.data])"
    )
    return _by_sdk(code, site, key)


def _openai(slug: str, site: str, key: str, said: str) -> dict[str, str]:
    code = (
        f"stream = client.chat.completions.create(\n    model={slug!r},\n"
        f'    messages=[{{"role": "user", "content": {said!r}}}],\n    max_tokens=120,\n    stream=True,\n)\n'
        f"for chunk in stream:\n    if chunk.choices:\n        "
        f'print(chunk.choices[0].delta.content or "", end="", flush=True)'
    )
    return _by_sdk(code, site, key)


def _by_sdk(code: str, site: str, key: str, imports: str = "os") -> dict[str, str]:
    """A tab whose code has a client at hand."""
    where = f'"{key}"' if key else 'os.environ["MERCATO_API_KEY"]'
    head = (
        f"import {imports}\nfrom openai import OpenAI\n\nclient = OpenAI(base_url={f'{site}/v1'!r}, api_key={where})\n"
    )
    return {"title": "Python (OpenAI SDK)", "language": "python", "code": head + code}
