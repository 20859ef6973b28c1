"""How expressions are written in Spark's SQL."""

from typing import Any

import ibis.expr.datatypes as dt
import sqlglot.expressions as sge
from ibis.backends.sql.compilers.base import NULL
from ibis.backends.sql.compilers.pyspark import PySparkCompiler

_Sql = Any  # sqlglot's expressions, untyped


class SparkCompiler(PySparkCompiler):  # type: ignore[misc]  # untyped
    """Gives expressions the meaning that they have in other engines, where Ibis does not."""

    def visit_ExtractEpochSeconds(self, _op: object, *, arg: _Sql) -> _Sql:  # noqa: N802 - Ibis' name
        """Count microseconds too; `unix_timestamp` cuts them off."""
        return self.cast(arg, dt.float64)

    def visit_CountStar(self, op: object, *, arg: _Sql, where: _Sql) -> _Sql:  # noqa: N802 - the same
        """Count none as 0; a sum of no rows is null."""
        if where is None:
            return super().visit_CountStar(op, arg=arg, where=where)
        return self.f.anon.count_if(where)

    def visit_ArrayCollect(  # noqa: N802 - the same
        self,
        op: object,
        *,
        arg: _Sql,
        where: _Sql,
        order_by: _Sql,
        include_null: bool,
        distinct: bool,
    ) -> _Sql:
        """Collect in an order: pairs of key and value, sorted, without the keys afterwards."""
        if not order_by or include_null or distinct or any(key.args["desc"] for key in order_by):
            return super().visit_ArrayCollect(
                op,
                arg=arg,
                where=where,
                order_by=order_by,
                include_null=include_null,
                distinct=distinct,
            )
        keys = (
            part
            for position, key in enumerate(order_by)
            for part in (sge.convert(f"key_{position}"), key.this)
        )
        pair = self.f.anon.named_struct(*keys, sge.convert("value"), arg)
        kept = self.if_(arg.is_(NULL), NULL, pair)
        if where is not None:
            kept = self.if_(where, kept, NULL)
        ordered = self.f.anon.array_sort(self.f.anon.collect_list(kept))
        return sge.Dot(this=ordered, expression=sge.to_identifier("value"))
