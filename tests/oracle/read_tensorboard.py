"""What TensorBoard itself reads of the runs below a folder, as JSON.

python3 read_tensorboard.py LOGDIR [SESSION_GROUPS]    with the package `tensorboard` (2.x)
"""

import json
import sys

from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins import base_plugin
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups
from tensorboard import context

logdir = sys.argv[1]
multiplexer = plugin_event_multiplexer.EventMultiplexer().AddRunsFromDirectory(logdir)
multiplexer.Reload()
runs = {}
for run, path in multiplexer.RunPaths().items():
    accumulator = EventAccumulator(path)
    accumulator.Reload()
    tags = accumulator.Tags()
    runs[run] = {
        "scalars": {tag: [[e.wall_time, e.step, e.value] for e in accumulator.Scalars(tag)] for tag in tags["scalars"]},
        "images": {tag: [[e.width, e.height, len(e.encoded_image_string)] for e in accumulator.Images(tag)] for tag in tags["images"]},
        "file_version": accumulator.file_version,
    }

provider = data_provider.MultiplexerDataProvider(multiplexer, logdir)
backend = backend_context.Context(base_plugin.TBContext(data_provider=provider))
request = context.RequestContext()
metadata = backend.hparams_metadata(request, "0")
experiment = backend.experiment_from_metadata(request, "0", True, metadata, provider.list_hyperparameters(request, experiment_ids=["0"], limit=None))
ask = api_pb2.ListSessionGroupsRequest(
    slice_size=100,
    include_metrics=True,
    aggregation_type=api_pb2.AGGREGATION_AVG,
    allowed_statuses=[api_pb2.STATUS_UNKNOWN, api_pb2.STATUS_SUCCESS, api_pb2.STATUS_FAILURE, api_pb2.STATUS_RUNNING],
)
groups = list_session_groups.Handler(request, backend, "0", ask).run().session_groups


def plain(value):
    return getattr(value, value.WhichOneof("kind"))


json.dump(
    {
        "runs": runs,
        "hparams": {info.name: [api_pb2.DataType.Name(info.type), info.differs] for info in experiment.hparam_infos},
        "metrics": [info.name.tag for info in experiment.metric_infos],
        "groups": {
            group.name: {
                "hparams": {name: plain(value) for name, value in group.hparams.items()},
                "metrics": {value.name.tag: value.value for value in group.metric_values},
                "sessions": {session.name: api_pb2.Status.Name(session.status) for session in group.sessions},
            }
            for group in groups
        },
    },
    sys.stdout,
)
