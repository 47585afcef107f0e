"""The verbs of the command line. What is heavy is imported inside them, so that help and plans come at once.

Exit codes: 0 everything ended as expected, 1 some trial did not, 2 bad input, 3 our own fault (a report is written), 130 stopped.
"""

import json
import os
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import typer

from studyhub.errors import StudyhubError
from studyhub.runner.events import silence
from studyhub.verbs import archive, basins, ingest, launch, plan, results, show, status, surface
from studyhub.verbs.options import help_of

OUR_FAULT, STOPPED = 3, 130

HELP = "Ablation studies of hydrological models: a YAML file in, trained trials and scores per basin out."

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True, help=HELP)
VERBS: dict[str, dict[str, Callable[..., None]]] = {
    "Studies": {
        "plan": plan.plan,
        "launch": launch.launch,
        "status": status.status,
        "retry": launch.retry,
        "report": results.report,
        "surface": surface.surface,
        "compare": results.compare,
        "ui": results.ui,
        "mirror": results.mirror,
        "export": archive.export,
        "import": archive.restore,
    },
    "Basins": {"data": basins.data, "split": basins.split, "predict": basins.predict},
    "Models": {"physics": show.physics, "kernel": show.kernel},
}
for panel, verbs in VERBS.items():
    for verb, function in verbs.items():
        app.command(verb, help=help_of(function), rich_help_panel=panel)(function)
app.add_typer(ingest.app, name="ingest", rich_help_panel="Basins")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; the only place where errors become messages and exit codes."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    try:
        try:
            app(arguments, prog_name="studyhub")
        finally:
            sys.stdout.flush()
    except SystemExit as end:
        return 0 if isinstance(end.__context__, BrokenPipeError) else end.code if isinstance(end.code, int) else 0
    except StudyhubError as error:
        print(f"studyhub: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:  # whoever read it has read enough
        silence(sys.stdout)
        return 0
    except Exception as error:
        report = _write_report(arguments, error)
        print(f"studyhub: a fault of ours, {type(error).__name__}; please report it with the file {report}", file=sys.stderr)
        return OUR_FAULT
    return 0


def _write_report(arguments: Sequence[str], error: Exception) -> Path:
    """Write what is needed to find the fault: command, versions, machine, traceback."""
    from studyhub.study.provenance import provenance

    facts = json.dumps({"arguments": arguments} | provenance(device="-", dtype="-"), indent=1)
    text = f"{facts}\n\n{''.join(traceback.format_exception(error))}"
    name = f"crash-{datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}.txt"
    for folder in (Path(os.environ.get("STUDYHUB_HOME") or "."), Path(tempfile.gettempdir())):
        path = (folder / name).absolute()
        try:
            path.write_text(text, encoding="utf-8")
            return path
        except OSError:
            continue
    print(text, file=sys.stderr)
    return Path(os.devnull)


if __name__ == "__main__":
    sys.exit(main())
