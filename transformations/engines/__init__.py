"""Where expressions run: PostgreSQL by default, DuckDB or Spark over files at scale."""

from typing import Protocol

import ibis.expr.types as ir
import pyarrow as pa


class Engine(Protocol):
    """
    Executes Ibis expressions over the source tables and the values of dependencies.

    Attributes:
        name: As the run record has it.
    """

    name: str

    def execute(self, expression: ir.Table) -> pa.Table:
        """
        Return the rows of an expression.

        Raises:
            ContractViolation: A table or column that the expression reads does not exist.
        """
