"""The publish gate's checks: what each may find, in words that say what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from marketplace.catalog.models import Model
from marketplace.publishing.models import Evidence, Status, Submission

MOST_VERSIONS = 20  # whose evidence is told, the newest
_NOT_REACHED = gettext_noop("Not run, since a check before it failed.")


@dataclass(frozen=True, slots=True)
class Check:
    """A question that every submission is asked. `sentences`: reason → what is told, with places for values."""

    title: str
    sentences: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to one. `figure` is the same in every language."""

    check: str
    status: Status
    reason: str
    values: Mapping[str, Any] = field(default_factory=dict)
    figure: str = ""


# In the order in which they are made.
CHECKS: dict[str, Check] = {
    "licence": Check(
        gettext_noop("Licence"),
        {
            "known": gettext_noop("A licence that people know."),
            "own": gettext_noop("This is no licence of the SPDX list: say in the card what it allows."),
            "missing": gettext_noop("Say under which licence the model comes, like Apache-2.0."),
        },
    ),
    "card": Check(
        gettext_noop("Model card"),
        {
            "whole": gettext_noop("It says what the model is for, on what data it learnt, and where its limits are."),
            "short": gettext_noop("Some sections have hardly a sentence: %(sections)s."),
            "missing": gettext_noop("Sections are missing: %(sections)s. Give each a heading and say it in a sentence or two."),
        },
    ),
    "archive": Check(
        gettext_noop("Files"),
        {
            "whole": gettext_noop("A %(kind)s with plain files only: no links, no names that lead elsewhere, no bomb."),
            "refused": "%(message)s",
        },
    ),
    "inspection": Check(
        gettext_noop("Operations, classes and weights"),
        {
            "harmless": gettext_noop("Everything in it is on the list of what only computes."),
            "refused": "%(message)s",
        },
    ),
    "size": Check(
        gettext_noop("Size"),
        {
            "fine": gettext_noop("It is loaded in moments and leaves room for others."),
            "large": gettext_noop(
                "Large: it is slow to start after a pause. Weights of half the precision would be half the size."
            ),
        },
    ),
    "loads": Check(
        gettext_noop("Loads"),
        {
            "loaded": gettext_noop("It was loaded behind the walls where it will run."),
            "refused": "%(message)s",
            "lost": gettext_noop(
                "Three workers were lost while they tried it: it takes more than this machine has. Make it smaller."
            ),
        },
    ),
    "schema": Check(
        gettext_noop("Version number"),
        {
            "first": gettext_noop("The first version."),
            "same": gettext_noop("It takes and gives what the version before it does."),
            "more": gettext_noop("It takes or gives more than the version before it, and breaks no caller: %(changes)s."),
            "breaks": gettext_noop("Callers of the version before it break: %(changes)s. Say so in what changed."),
        },
    ),
    "examples": Check(
        gettext_noop("Answers its examples"),
        {
            "answered": gettext_noop("Every answer has the form that its task promises."),
            "made_up": gettext_noop("It was asked with made-up input, and the answers have the form that its task promises."),
            "wrong": gettext_noop("Example %(number)s was answered wrongly: %(message)s"),
            "no_input": gettext_noop("Example %(number)s is no input of this task: %(message)s Correct the examples."),
            "none": gettext_noop("There is no input to try: send examples with the model."),
        },
    ),
    "golden": Check(
        gettext_noop("Examples with known answers"),
        {
            "none": gettext_noop("No examples were sent. With some, the next version cannot become worse unseen."),
            "no_metric": gettext_noop("The answers of this task are not judged by these examples."),
            "unlike": gettext_noop(
                "Of %(count)s asked, no answer can be compared with what is expected: give an output of the task, or its answer alone."
            ),
            "broke": gettext_noop("While it was asked the %(count)s examples: %(message)s"),
            "first": gettext_noop("Of %(count)s asked: %(metric)s %(value)s. There is no version before it to compare with."),
            "better": gettext_noop("Of %(count)s asked: %(metric)s %(value)s, before it %(before)s."),
            "alone": gettext_noop(
                "Of %(count)s asked: %(metric)s %(value)s. The version before it could not be asked: %(message)s"
            ),
            "worse": gettext_noop(
                "Of %(count)s asked: %(metric)s %(value)s, before it %(before)s. That is worse by more than %(tolerance)s: "
                "mend the model, or the examples where they are wrong."
            ),
        },
    ),
    "latency": Check(
        gettext_noop("Latency"),
        {
            "fast": gettext_noop("One at a time: median %(p50)s ms, 95 %% within %(p95)s ms. %(batch)s at once: %(many50)s and %(many95)s ms."),
            "slow": gettext_noop(
                "One at a time: median %(p50)s ms, 95 %% within %(p95)s ms. %(batch)s at once: %(many50)s and %(many95)s ms. "
                "People leave after some seconds: a smaller model may sell better."
            ),
        },
    ),
    "memory": Check(
        gettext_noop("Memory"),
        {
            "fine": gettext_noop("The most that its process took, libraries included."),
            "large": gettext_noop("The most that its process took. Others are unloaded to make room: expect pauses."),
        },
    ),
    "price": Check(
        gettext_noop("Price"),
        {
            "alone": gettext_noop("%(price)s. A request computes %(seconds)s s.%(peers)s"),
            "fair": gettext_noop("%(price)s. A request computes %(seconds)s s; the least that pays for it is %(suggested)s.%(peers)s"),
            "free": gettext_noop("Free. A request computes %(seconds)s s; the least that pays for it is %(suggested)s.%(peers)s"),
            "below": gettext_noop(
                "%(price)s is less than what computing costs. A request computes %(seconds)s s: ask for %(suggested)s or more.%(peers)s"
            ),
            "unusual": gettext_noop("%(price)s is a hundred times off what others of this task cost.%(peers)s You will be asked whether it is meant."),
        },
    ),
}  # fmt: skip


def say(one: Evidence) -> dict[str, Any]:
    """The evidence for people and programs, in the reader's language."""
    check = CHECKS[one.check_name]
    sentence = _NOT_REACHED if one.reason == "not_reached" else check.sentences[one.reason]
    return {
        "check": one.check_name,
        "title": _(check.title),
        "status": one.status,
        "status_label": one.get_status_display(),
        "figure": one.figure,
        "message": _(sentence) % _worded(one.values),
    }


def of(submission: Submission) -> list[dict[str, Any]]:
    """All of it so far, in the order of the checks."""
    made = {one.check_name: one for one in submission.evidence.all()}
    return [say(made[name]) for name in CHECKS if name in made]


def failures(submission: Submission) -> list[dict[str, Any]]:
    """Of it, what blocks the submission."""
    return [one for one in of(submission) if one["status"] == Status.FAILED]


def of_model(model: Model) -> list[dict[str, Any]]:
    """The evidence of the model's newest versions that came by the publish gate: newest first."""
    published = Submission.objects.filter(version__model=model).select_related("version").prefetch_related("evidence")
    found = []
    for one in published.order_by("-version__number")[:MOST_VERSIONS]:
        assert one.version is not None
        found.append({"version": one.version.number, "semver": one.version.semver, "checks": of(one)})
    return found


def _worded(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values in the reader's language."""
    told = dict(values)
    if "sections" in values:
        told["sections"] = ", ".join(_(one) for one in values["sections"])
    if "metric" in values:
        told["metric"] = _(values["metric"])
    told["peers"] = (
        " " + _("Half of the models of this task cost more than %(median)s a request.") % {"median": values["peers"]}
        if "peers" in values
        else ""
    )
    return told
