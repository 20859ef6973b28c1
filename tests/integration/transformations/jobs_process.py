"""
A process that has imported everything, and runs each job it is told of in a child.

Children start within milliseconds, so that killing them hits the job and not its imports. It prints
`ready`; then, for each line on standard input, `{"job": "popularity_score==1.0.0", "as_of": null or
an ISO 8601 instant, "late_events_seconds": 900.0}`, the child's process id and its exit status.
"""

import json
import os
import sys
from datetime import datetime

from foundation.settings import load_settings
from tests.integration.transformations.shop_jobs import SHOP_JOBS
from transformations import pipeline


def _run(told: str) -> None:
    order = json.loads(told)
    settings = load_settings().model_copy(
        update={"late_events_seconds": order["late_events_seconds"]}
    )
    as_of = None if order["as_of"] is None else datetime.fromisoformat(order["as_of"])
    pipeline.run(settings, SHOP_JOBS[order["job"]], as_of=as_of)


def _serve() -> None:
    print("ready", flush=True)  # noqa: T201 - answers follow
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                _run(line)
            except BaseException:  # noqa: BLE001 - a child must end here, whatever happened
                sys.excepthook(*sys.exc_info())
                os._exit(1)
            os._exit(0)
        print(child, flush=True)  # noqa: T201 - this is the answer
        print(os.waitpid(child, 0)[1], flush=True)  # noqa: T201 - and this


if __name__ == "__main__":
    _serve()
