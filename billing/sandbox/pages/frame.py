"""What the hosted pages share: plain forms without script, for a keyboard and for a phone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

_FRAME = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width,initial-scale=1"><style>
:root{{color-scheme:light dark;--ink:#1a1f36;--soft:#545c6e;--page:#f6f8fa;--card:#fff;--line:#e3e8ee;--edge:#8792a2;--key:#4338ca;
--onkey:#fff;--bad:#8c1d18;--badpage:#fdecec;--band:#5b3a00;--bandpage:#ffe8b8}}
@media(prefers-color-scheme:dark){{:root{{--ink:#e6e9f2;--soft:#a6aec0;--page:#10131c;--card:#1a1f2e;--line:#30374a;--edge:#79839a;--key:#a5b0ff;
--onkey:#10131c;--bad:#ffb4ab;--badpage:#4a1410;--band:#ffe0a3;--bandpage:#4a3300}}}}
*{{box-sizing:border-box}}body{{margin:0;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page)}}
.band{{background:var(--bandpage);color:var(--band);padding:.5rem 1rem;text-align:center;font-size:.875rem}}
main{{max-width:{width}rem;margin:3rem auto;background:var(--card);border-radius:12px;padding:2rem;box-shadow:0 4px 24px #1a1f3618}}
h1{{font-size:1.25rem;margin:0 0 1rem}}h2{{font-size:1rem;margin:1.5rem 0 .5rem}}
label{{display:block;font-size:.875rem;font-weight:600;margin:1rem 0 .25rem}}
input,select{{width:100%;font:inherit;padding:.6rem .75rem;border:1px solid var(--edge);border-radius:8px;background:var(--card);color:inherit}}
.row{{display:flex;gap:.75rem;flex-wrap:wrap}}.row>*{{flex:1 1 8rem}}
button{{width:100%;margin-top:1.5rem;font:inherit;font-weight:600;color:var(--onkey);background:var(--key);
border:1px solid transparent;border-radius:8px;padding:.75rem;cursor:pointer}}
button.quiet{{background:var(--card);color:var(--ink);border-color:var(--edge);margin-top:.5rem}}form+dl{{margin-top:1rem}}
a{{color:var(--key)}}dl{{display:flex;justify-content:space-between;gap:1rem;margin:.25rem 0}}
dd{{margin:0;font-variant-numeric:tabular-nums;text-align:right}}dl.sum{{font-weight:600;border-top:1px solid var(--line);padding-top:.5rem}}
table{{width:100%;border-collapse:collapse;font-size:.9rem}}th,td{{text-align:left;padding:.4rem .25rem;border-bottom:1px solid var(--line)}}
th:last-child,td:last-child{{text-align:right;font-variant-numeric:tabular-nums}}
.error{{background:var(--badpage);color:var(--bad);border-radius:8px;padding:.6rem .75rem}}
small,.small{{color:var(--soft);font-size:.875rem}}details{{margin-top:1.5rem}}summary{{cursor:pointer;font-weight:600}}
:focus-visible{{outline:3px solid var(--key);outline-offset:2px}}
@media(max-width:34rem){{main{{margin:0;border-radius:0;padding:1.25rem}}table{{font-size:.8rem}}th,td{{padding:.4rem .15rem}}}}
@media print{{.band,form{{display:none}}main{{box-shadow:none;margin:0}}}}
</style></head>
<body><div class="band">Stripe sandbox on this machine: no real money moves.</div><main>{body}</main></body></html>"""


@dataclass(frozen=True, slots=True)
class Page:
    """An answer to a browser."""

    status: int
    body: bytes
    location: str = ""
    kind: str = "text/html; charset=utf-8"


def page(title: str, body: str, status: int = 200, width: int = 28) -> Page:
    """A page; its body is HTML."""
    return Page(status, _FRAME.format(title=escape(title), body=body, width=width).encode())


def to(location: str) -> Page:
    """Leads on."""
    return Page(303, b"", location)


def money(cents: int) -> str:
    """$1,234.50"""
    return f"{'−' if cents < 0 else ''}${abs(cents) / 100:,.2f}"


def day(moment: int | None) -> str:
    """25 November 2026"""
    return datetime.fromtimestamp(moment or 0, UTC).strftime("%-d %B %Y")


def alert(error: str) -> str:
    """A refusal, said to screen readers at once."""
    return f'<p class="error" role="alert">{escape(error)}</p>' if error else ""


def back(url: str | None) -> str:
    """The way back, where there is one."""
    return f'<p><a href="{escape(url, quote=True)}">← Back</a></p>' if url else ""


def row(name: str, value: str, kind: str = "") -> str:
    """A name and its value; both are text."""
    return f'<dl class="{kind}"><dt>{escape(name)}</dt><dd>{escape(value)}</dd></dl>'


def hidden(**values: str) -> str:
    """Fields that are sent along."""
    return "".join(
        f'<input type="hidden" name="{name}" value="{escape(value, quote=True)}">' for name, value in values.items()
    )


CARD_FIELDS = """<label for="card">Card number</label>
<input id="card" name="card" inputmode="numeric" autocomplete="cc-number" value="4242 4242 4242 4242" required>
<div class="row"><div><label for="expiry">Expiry</label><input id="expiry" name="expiry" value="12 / 34" autocomplete="cc-exp" required></div>
<div><label for="cvc">CVC</label><input id="cvc" name="cvc" value="123" inputmode="numeric" autocomplete="cc-csc" required></div></div>"""

CARDS_TO_TRY = """<details class="small"><summary>Test cards</summary><table><thead><tr><th>Number</th><th>What happens</th></tr></thead><tbody>
<tr><td>4242 4242 4242 4242</td><td>succeeds</td></tr><tr><td>4000 0000 0000 0077</td><td>available at once</td></tr>
<tr><td>4000 0000 0000 0002</td><td>declined</td></tr><tr><td>4000 0000 0000 9995</td><td>insufficient funds</td></tr>
<tr><td>4000 0000 0000 0069</td><td>expired</td></tr><tr><td>4000 0000 0000 0341</td><td>kept, fails later</td></tr>
<tr><td>4000 0025 0000 3155</td><td>asks once</td></tr><tr><td>4000 0027 6000 3184</td><td>asks each time</td></tr>
<tr><td>4000 0000 0000 0259</td><td>disputed</td></tr>
<tr><td>4000 0000 0000 5126</td><td>its refunds fail</td></tr></tbody></table></details>"""
