"""What people choose a recipe by: the name of its architecture, and when it is the right one."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class Architecture:
    """For people."""

    title: str | Promise
    when: str | Promise


# Those of recipes.registry.OWN, by their names there.
ARCHITECTURES = {
    "dense": Architecture(
        _("DNN: dense network"), _("Finds whatever columns say together. A good first choice for tables.")
    ),
    "additive": Architecture(
        _("Additive network"),
        _("Each column speaks for itself, so that every answer gives its exact reasons. For a target with two values."),
    ),
    "bag_of_words": Architecture(
        _("DNN: bag of words"),
        _("Which words are there, wherever they stand. The fastest: subjects, languages, spam."),
    ),
    "lstm": Architecture(
        _("RNN: LSTM"), _("Reads in order, in both directions. Where “not good” must differ from “good, not bad”.")
    ),
    "gru": Architecture(_("RNN: GRU"), _("As an LSTM with fewer parameters: for fewer or shorter texts.")),
    "transformer": Architecture(
        _("Transformer"), _("Every word looks at every other. For longer texts, and where examples are many.")
    ),
    "cnn": Architecture(
        _("CNN: convolutional network"), _("Finds the same pattern anywhere in a picture. The choice for images.")
    ),
}
