"""A plan as a table, as Markdown for a pull request, and as plain values."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from feature_repo.registry.plan import Change, Plan, ServiceChange
from feature_repo.registry.plan_rules import Refusal

_STYLES = {"added": "green", "changed": "yellow", "retired": "magenta", "removed": "red"}
_LONGEST_VALUE = 60


def plan_table(plan: Plan) -> Table:
    """Return one row a change; what may not be is red."""
    table = Table(title="Plan", caption=_caption(plan))
    table.add_column("change")
    table.add_column("feature version or service", no_wrap=True)
    for heading in ("what is different", "asks for", "used by"):
        table.add_column(heading)
    for change in plan.changes:
        table.add_row(
            Text(change.kind, _STYLES[change.kind]),
            change.name,
            _differences(change) or "-",
            change.asked.name if change.asked else "-",
            "\n".join(map(str, change.consumers)) or "-",
        )
        _add_refusal(table, change.refusal)
    for service in plan.services:
        kind = Text(service.kind, _STYLES[service.kind])
        table.add_row(kind, service.name, "\n".join(_moves(service)), "-", "-")
        _add_refusal(table, service.refusal)
    return table


def plan_markdown(plan: Plan) -> str:
    """Return the plan for a pull request."""
    rows = [
        _line(
            change.kind,
            f"`{change.name}`",
            _cell(_differences(change), change.refusal),
            change.asked.name if change.asked else "",
            ", ".join(map(str, change.consumers)),
        )
        for change in plan.changes
    ]
    rows += [
        _line(
            service.kind,
            f"service `{service.name}`",
            _cell("\n".join(_moves(service)), service.refusal),
            "",
            "",
        )
        for service in plan.services
    ]
    if rows:
        rows[:0] = [
            "| change | what | what is different | asks for | used by |",
            "|---|---|---|---|---|",
        ]
        rows += ["", f"For review: {', '.join(plan.reviewers)}."]
    else:
        rows = ["Nothing changes."]
    for note in plan.notes:
        rows += ["", f"> {note}"]
    return "\n".join(rows) + "\n"


def plan_record(plan: Plan) -> dict[str, Any]:
    """Return the plan as plain values."""
    return {
        "changes": [
            {
                "reference": change.name,
                "kind": change.kind.value,
                "fields": [
                    {"field": f.field, "before": f.before, "after": f.after} for f in change.fields
                ],
                "asks_for": change.asked.name,
                **_refusal_record(change.refusal),
                "consumers": [
                    {"what": each.what, "owner": each.owner, "is_direct": each.is_direct}
                    for each in change.consumers
                ],
            }
            for change in plan.changes
        ],
        "services": [
            {
                "name": service.name,
                "kind": service.kind.value,
                "joining": list(service.joining),
                "leaving": list(service.leaving),
                **_refusal_record(service.refusal),
            }
            for service in plan.services
        ],
        "violations": len(plan.violations),
        "reviewers": plan.reviewers,
        "notes": list(plan.notes),
    }


def violations_text(violations: Mapping[str, Refusal]) -> str:
    """Return everything that may not be, with what to do instead."""
    return "\n".join(
        f"{name}: {refusal.problem}\n  {refusal.hint}" for name, refusal in violations.items()
    )


def _caption(plan: Plan) -> str:
    if plan.violations:
        return "`make apply` refuses this."
    return f"`make apply` does this. For review: {', '.join(plan.reviewers)}."


def _add_refusal(table: Table, refusal: Refusal | None) -> None:
    if refusal is not None:
        why = Text.assemble((refusal.problem, "red"), f"\n{refusal.hint}")
        table.add_row(Text("refused", "bold red"), "", why, "", "")


def _refusal_record(refusal: Refusal | None) -> dict[str, str | None]:
    return {"problem": refusal and refusal.problem, "hint": refusal.hint if refusal else ""}


def _cell(text: str, refusal: Refusal | None) -> str:
    refused = [f"**refused**: {refusal.problem}. {refusal.hint}"] if refusal else []
    return "\n".join([*filter(None, [text]), *refused])


def _line(*cells: str) -> str:
    escaped = (cell.replace("|", "\\|").replace("\n", "<br>") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _differences(change: Change) -> str:
    return "\n".join(
        f"{each.field}: {_short(each.before)} → {_short(each.after)}" for each in change.fields
    )


def _moves(service: ServiceChange) -> Sequence[str]:
    return [f"+ {each}" for each in service.joining] + [f"- {each}" for each in service.leaving]


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
