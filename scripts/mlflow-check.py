"""What scripts/mlflow-check.sh asks of a server, by its REST interface alone.

mlflow-check.py wait|counts|look|forget|more URL [RESULTS | COUNTS]
"""

import json
import pathlib
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

command, url = sys.argv[1:3]


def call(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}/api/2.0/mlflow/{path}", data=data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or b"{}")


def experiments():
    return [e for e in call("experiments/search", {"max_results": 100})["experiments"] if e["name"] != "Default"]


def runs():
    ids = [e["experiment_id"] for e in experiments()]
    return call("runs/search", {"experiment_ids": ids, "max_results": 1000, "run_view_type": "ALL"}).get("runs", []) if ids else []


def pairs(run, what):
    return {pair["key"]: pair["value"] for pair in run["data"].get(what, [])}


def history(run, name):
    asked = urllib.parse.urlencode({"run_id": run["info"]["run_id"], "metric_key": name, "max_results": 25000})
    return call(f"metrics/get-history?{asked}").get("metrics", [])


def artifacts(run, path=None):
    asked = {"run_id": run["info"]["run_id"], **({"path": path} if path else {})}
    found = []
    for file in call(f"artifacts/list?{urllib.parse.urlencode(asked)}").get("files", []):
        found += artifacts(run, file["path"]) if file["is_dir"] else [file["path"]]
    return found


def counts():
    all_runs = runs()
    return {
        "experiments": len(experiments()),
        "runs": len(all_runs),
        "points": sum(len(history(run, name)) for run in all_runs for name in pairs(run, "metrics")),
        "params": sum(len(pairs(run, "params")) for run in all_runs),
        "tags": sum(len(pairs(run, "tags")) for run in all_runs),
        "datasets": sum(len(run.get("inputs", {}).get("dataset_inputs", [])) for run in all_runs),
        "artifacts": sum(len(artifacts(run)) for run in all_runs),
    }


def wait():
    for _ in range(600):
        try:
            experiments()
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.5)
    sys.exit(f"mlflow-check: the server at {url} does not come up")


def look(results):
    """Whether the server has what the files say."""
    results = pathlib.Path(results)
    by_name = {run["info"]["run_name"]: run for run in runs()}
    parent = by_name.pop("tiny")
    assert pairs(parent, "tags")["mlflow.note.content"] == (results / "tiny/table.md").read_text(), "the note is not the table"
    assert {"table.md", "table.tex", "findings.md", "report.html", "sweep.toml"} <= set(artifacts(parent)), artifacts(parent)
    table = json.loads((results / "tiny/table.json").read_text())["table"]
    for line in table["lines"]:
        row = line["name"].replace("(", "_").replace(")", "_")
        for column, cell in zip(table["columns"], line["cells"]):
            name = f"{row}/{column['metric'].replace('@', '_')}"
            assert pairs(parent, "metrics")[name] == cell["mean"], f"{name}: {pairs(parent, 'metrics')[name]}, in the table {cell['mean']}"
    assert len(by_name) == 4, by_name.keys()
    for run in by_name.values():
        tags, info = pairs(run, "tags"), run["info"]
        assert info["status"] == "FINISHED" and tags["mlflow.parentRunId"] == parent["info"]["run_id"], (info, tags)
        summary = json.loads((results / "runs" / tags["harness.run"] / "summary.json").read_text())
        steps = [json.loads(line) for line in (results / "runs" / tags["harness.run"] / "events.jsonl").read_text().splitlines()]
        steps = [step for step in steps if step["event"] == "step"]
        for name, value in summary["metrics"].items():
            found = [(point["step"], point["value"]) for point in history(run, name.replace("@", "_"))]
            assert found == ([] if value is None else [(len(steps), value)]), f"{name}: {found}, in the summary {value}"
        losses = sorted((point["step"], point["value"]) for point in history(run, "loss/total"))
        assert losses == [(step["step"], step["losses"]["total"]) for step in steps], "losses"
        assert pairs(run, "params")["model.stlnet"] in ("true", "false"), "a key that is varied"


if command == "wait":
    wait()
elif command == "counts":
    print(json.dumps(counts()))
elif command == "look":
    look(sys.argv[3])
elif command == "forget":
    for run in runs():
        call("runs/delete-tag", {"run_id": run["info"]["run_id"], "key": "harness.sent"})
elif command == "more":
    before, after = json.loads(sys.argv[3]), counts()
    for same in ("experiments", "runs", "points", "datasets"):
        assert before[same] == after[same], (same, before, after)
    assert after["params"] > before["params"] + 4 * 80 and after["artifacts"] > before["artifacts"], (before, after)
