"""The words of tasks, their fields and metrics, for translators: tasks themselves know no Django."""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

WORDS = (
    _("Image classification"),
    _("Tabular classification"),
    _("Tabular regression"),
    _("Object detection"),
    _("Scene segmentation"),
    _("Image generation"),
    _("Image enhancement"),
    _("Embeddings"),
    _("Text generation"),
    _("Text classification"),
    _("Chat"),
    _("Translation"),
    _("Question answering"),
    _("Raw tensors"),
    _("Accuracy"),
    _("Log loss"),
    _("F1 score, mean of all classes"),
    _("Area under the ROC curve"),
    _("Explained variance (R²)"),
    _("Root mean squared error"),
    _("Mean average precision (IoU 0.5)"),
    _("Mean intersection over union"),
    _("Pixel accuracy"),
    _("Recognised as asked"),
    _("Diversity (people: 1)"),
    _("Peak signal-to-noise ratio (dB)"),
    _("Structural similarity (SSIM)"),
    _("Mean absolute error"),
    _("Bits per character"),
    _("Next-character accuracy"),
    # Kinds of a dataset's columns.
    _("number"),
    _("category"),
    _("text"),
    _("date"),
    _("id"),
    # What fields of the widgets are called.
    _("Text"),
    _("BLEU"),
    _("Right to the letter"),
    _("Text"),
    _("Exact match"),
    _("F1 of words"),
    _("Question"),
    _("Context"),
)
