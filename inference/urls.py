"""The programming interface, and the fragments of pages that show live figures."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from inference.api import asking
from inference.api.anthropic.messages import CountTokens, Messages
from inference.api.oip import infer as oip
from inference.api.openai import batches, files, fine_tuning
from inference.api.openai.chat import ChatCompletions
from inference.api.openai.completions import Completions
from inference.api.openai.embeddings import Embeddings
from inference.api.openai.images import Images
from inference.api.openai.models import Models, OneModel
from inference.api.openai.responses import Responses
from inference.api.predictions import later, webhooks
from inference.api.predictions.predictions import Predictions
from inference.api.tfserving import predict as tf
from inference.golden import api as golden_api
from inference.golden import pages as golden
from inference.golden import run_pages as golden_runs
from inference.later import pages as hooks
from inference.playground import pages as playground
from inference.routing import pages as routing

_MODEL = "v1/models/<str:publisher>/<str:name>"
_SET = "v1/golden_sets/<str:set_id>"
_OIP = "v2/models/<str:publisher>/<str:name>"


def _tfserving(verb: str, view: type[tf.TfServingView]) -> list[URLPattern]:
    """The three ways to name a version in TensorFlow Serving's addresses."""
    return [
        path(f"{_MODEL}:{verb}", view.as_view(), name=f"tfs_{verb}"),
        path(f"{_MODEL}/versions/<str:version>:{verb}", view.as_view(), name=f"tfs_version_{verb}"),
        path(f"{_MODEL}/labels/<str:label>:{verb}", view.as_view(), name=f"tfs_label_{verb}"),
    ]


urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/models", Models.as_view(), name="api_models"),
    *_tfserving("predict", tf.Predict),
    *_tfserving("classify", tf.Classify),
    *_tfserving("regress", tf.Regress),
    path(f"{_MODEL}/versions/<str:version>", tf.Status.as_view(), name="tfs_status"),
    path(f"{_MODEL}/metadata", tf.Metadata.as_view(), name="tfs_metadata"),
    path(_MODEL, OneModel.as_view(), name="api_model"),
    path(f"{_MODEL}/predictions", Predictions.as_view(), name="api_predictions"),
    path("v1/chat/completions", ChatCompletions.as_view(), name="api_chat_completions"),
    path("v1/completions", Completions.as_view(), name="api_completions"),
    path("v1/responses", Responses.as_view(), name="api_responses"),
    path("v1/messages", Messages.as_view(), name="api_messages"),
    path("v1/messages/count_tokens", CountTokens.as_view(), name="api_count_tokens"),
    path("v1/embeddings", Embeddings.as_view(), name="api_embeddings"),
    path("v1/images/generations", Images.as_view(), name="api_images"),
    path("v1/predictions", later.PredictionList.as_view(), name="api_prediction_list"),
    path("v1/predictions/<str:prediction_id>", later.OnePrediction.as_view(), name="api_prediction"),
    path("v1/predictions/<str:prediction_id>/cancel", later.CancelPrediction.as_view(), name="api_cancel_prediction"),
    path("v1/predictions/<str:prediction_id>/stream", later.PredictionEvents.as_view(), name="api_prediction_events"),
    path("v1/webhooks", webhooks.Webhooks.as_view(), name="api_webhooks"),
    path("v1/webhooks/<str:endpoint_id>", webhooks.OneWebhook.as_view(), name="api_webhook"),
    path("v1/webhooks/<str:endpoint_id>/secret", webhooks.WebhookSecret.as_view(), name="api_webhook_secret"),
    path("v1/webhooks/<str:endpoint_id>/rotate", webhooks.RotateWebhook.as_view(), name="api_rotate_webhook"),
    path("v1/webhooks/<str:endpoint_id>/test", webhooks.TestWebhook.as_view(), name="api_test_webhook"),
    path("v1/webhooks/<str:endpoint_id>/deliveries", webhooks.Deliveries.as_view(), name="api_deliveries"),
    path(
        "v1/webhooks/<str:endpoint_id>/deliveries/<str:delivery_id>/retry",
        webhooks.RetryDelivery.as_view(),
        name="api_retry_delivery",
    ),
    path("v1/files", files.Files.as_view(), name="api_files"),
    path("v1/files/<str:file_id>", files.OneFile.as_view(), name="api_file"),
    path("v1/files/<str:file_id>/content", files.FileContent.as_view(), name="api_file_content"),
    path("v1/batches", batches.Batches.as_view(), name="api_batches"),
    path("v1/batches/<str:batch_id>", batches.OneBatch.as_view(), name="api_batch"),
    path("v1/batches/<str:batch_id>/cancel", batches.CancelBatch.as_view(), name="api_cancel_batch"),
    path("v1/batches/<str:batch_id>/retry", batches.RetryBatch.as_view(), name="api_retry_batch"),
    path("v1/fine_tuning/jobs", fine_tuning.Jobs.as_view(), name="api_fine_tuning_jobs"),
    path("v1/fine_tuning/jobs/<str:job_id>", fine_tuning.OneJob.as_view(), name="api_fine_tuning_job"),
    path("v1/fine_tuning/jobs/<str:job_id>/cancel", fine_tuning.CancelJob.as_view(), name="api_cancel_fine_tuning"),
    path("v1/fine_tuning/jobs/<str:job_id>/events", fine_tuning.JobEvents.as_view(), name="api_fine_tuning_events"),
    path(
        "v1/fine_tuning/jobs/<str:job_id>/checkpoints",
        fine_tuning.JobCheckpoints.as_view(),
        name="api_fine_tuning_checkpoints",
    ),
    path("v1/quotes", asking.Quotes.as_view(), name="api_quotes"),
    path("v1/route", asking.Route.as_view(), name="api_route"),
    path("v2", oip.Server.as_view(), name="oip_server"),
    path("v2/health/live", oip.Live.as_view(), name="oip_live"),
    path("v2/health/ready", oip.ServerReady.as_view(), name="oip_ready"),
    path(_OIP, oip.Metadata.as_view(), name="oip_metadata"),
    path(f"{_OIP}/ready", oip.Ready.as_view(), name="oip_model_ready"),
    path(f"{_OIP}/infer", oip.Infer.as_view(), name="oip_infer"),
    path(f"{_OIP}/versions/<str:version>", oip.Metadata.as_view(), name="oip_version_metadata"),
    path(f"{_OIP}/versions/<str:version>/ready", oip.Ready.as_view(), name="oip_version_ready"),
    path(f"{_OIP}/versions/<str:version>/infer", oip.Infer.as_view(), name="oip_version_infer"),
    path("settings/webhooks", hooks.webhooks, name="webhooks"),
    path("settings/webhooks/signing-secret", hooks.signing_secret, name="signing_secret"),
    path("settings/webhooks/<str:endpoint_id>", hooks.webhook, name="webhook"),
    path("settings/webhooks/<str:endpoint_id>/rotate", hooks.rotate_webhook, name="rotate_webhook"),
    path("settings/webhooks/<str:endpoint_id>/test", hooks.test_webhook, name="test_webhook"),
    path("settings/webhooks/<str:endpoint_id>/switch", hooks.switch_webhook, name="switch_webhook"),
    path("settings/webhooks/<str:endpoint_id>/delete", hooks.delete_webhook, name="delete_webhook"),
    path("settings/webhooks/<str:endpoint_id>/deliveries", hooks.webhook_log, name="webhook_log"),
    path("settings/webhooks/<str:endpoint_id>/deliveries/<str:delivery_id>", hooks.send_again, name="send_again"),
    path("v1/golden_sets", golden_api.GoldenSets.as_view(), name="api_golden_sets"),
    path("v1/golden_sets/<str:set_id>", golden_api.OneGoldenSet.as_view(), name="api_golden_set"),
    path(f"{_SET}/estimate", golden_api.GoldenEstimate.as_view(), name="api_golden_estimate"),
    path(f"{_SET}/runs", golden_api.GoldenRuns.as_view(), name="api_golden_runs"),
    path(f"{_SET}/runs/<str:run_id>", golden_api.OneGoldenRun.as_view(), name="api_golden_run"),
    path(f"{_SET}/runs/<str:run_id>/cancel", golden_api.CancelGoldenRun.as_view(), name="api_cancel_golden_run"),
    path(f"{_SET}/runs/<str:run_id>/answers", golden_api.GoldenAnswers.as_view(), name="api_golden_answers"),
    path("golden", golden.golden, name="golden"),
    path("golden/samples", golden.add_sample, name="golden_add_sample"),
    path("golden/samples/<str:task>.<str:form>", golden.sample, name="golden_sample"),
    path("golden/shared/<str:token>", golden_runs.shared, name="golden_shared"),
    path("golden/<str:set_id>", golden_runs.golden_set, name="golden_set"),
    path("golden/<str:set_id>/delete", golden.delete, name="golden_delete"),
    path("golden/<str:set_id>/runs", golden_runs.begin, name="golden_begin"),
    path("golden/<str:set_id>/runs/<str:run_id>", golden_runs.golden_run, name="golden_run"),
    path("golden/<str:set_id>/runs/<str:run_id>/answers.csv", golden_runs.answers, name="golden_answers"),
    path("golden/<str:set_id>/runs/<str:run_id>/cancel", golden_runs.cancel, name="golden_cancel"),
    path("golden/<str:set_id>/runs/<str:run_id>/share", golden_runs.share, name="golden_share"),
    path("golden/<str:set_id>/runs/<str:run_id>/delete", golden_runs.delete_run, name="golden_run_delete"),
    path("playground/token", playground.token, name="playground_token"),
    path("models/<str:publisher>/<str:name>/health", routing.model_health, name="model_health"),
]
