"""Computations that are a query of their own."""

from operator import itemgetter

from transformations.on_demand.plan import Plan, Request


def plan(request: Request) -> Plan:
    """Return the plan of a module with `statement(wanted, *, as_of, <parameters>)`."""
    statement = request.module.statement(
        request.wanted, as_of=request.as_of, **request.feature.parameters
    )
    return Plan({"values": statement}, itemgetter("values"))
