"""A plan as a table, as Markdown for a pull request, and as JSON."""

from typing import Any

from rich.table import Table
from rich.text import Text

from feature_repo.registry.plan import Change, Plan

_STYLES = {"added": "green", "changed": "yellow", "retired": "magenta", "removed": "red"}
_LONGEST_VALUE = 60


def plan_table(plan: Plan) -> Table:
    """Return one row a change; what may not be is red."""
    table = Table(title="Plan", caption="`make apply` does this." if not plan.violations else None)
    table.add_column("change")
    table.add_column("feature version", no_wrap=True)
    for heading in ("what is different", "asks for", "used by"):
        table.add_column(heading)
    for change in plan.changes:
        table.add_row(
            Text(change.kind, _STYLES[change.kind]),
            change.feature.reference,
            _differences(change) or "-",
            change.asked.name if change.asked else "-",
            "\n".join(change.consumers) or "-",
        )
        if change.problem:
            why = Text.assemble((change.problem, "red"), f"\n{change.hint}")
            table.add_row(Text("refused", "bold red"), "", why, "", "")
    for service in plan.services:
        lines = [f"+ {each}" for each in service.joining] + [
            f"- {each}" for each in service.leaving
        ]
        table.add_row(Text("service", "yellow"), service.name, "\n".join(lines), "-", "-")
    return table


def plan_markdown(plan: Plan) -> str:
    """Return the plan for a pull request."""
    if not plan.changes and not plan.services:
        return "Nothing changes.\n"
    lines = [
        "| change | feature version | what is different | asks for | used by |",
        "|---|---|---|---|---|",
    ]
    for change in plan.changes:
        refusal = f" **refused**: {change.problem} {change.hint}" if change.problem else ""
        cells = (
            change.kind,
            f"`{change.feature.reference}`",
            _differences(change).replace("\n", "<br>") + refusal,
            change.asked.name if change.asked else "",
            ", ".join(change.consumers),
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    for service in plan.services:
        moves = [f"+ `{each}`" for each in service.joining]
        moves += [f"- `{each}`" for each in service.leaving]
        lines.append(f"| service | `{service.name}` | {'<br>'.join(moves)} | | |")
    return "\n".join(lines) + "\n"


def plan_record(plan: Plan) -> dict[str, Any]:
    """Return the plan as plain values."""
    return {
        "changes": [
            {
                "reference": change.feature.reference,
                "kind": change.kind.value,
                "fields": [
                    {"field": f.field, "before": f.before, "after": f.after} for f in change.fields
                ],
                "asks_for": change.asked.name,
                "problem": change.problem,
                "hint": change.hint if change.problem else "",
                "consumers": list(change.consumers),
            }
            for change in plan.changes
        ],
        "services": [
            {"name": s.name, "joining": list(s.joining), "leaving": list(s.leaving)}
            for s in plan.services
        ],
        "violations": len(plan.violations),
    }


def violations_text(plan: Plan) -> str:
    """Return every change that may not be, with what to do instead."""
    return "\n".join(
        f"{change.feature.reference}: {change.problem}\n  {change.hint}"
        for change in plan.violations
    )


def _differences(change: Change) -> str:
    return "\n".join(
        f"{each.field}: {_short(each.before)} → {_short(each.after)}" for each in change.fields
    )


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
