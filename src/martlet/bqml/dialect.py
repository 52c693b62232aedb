"""BigQuery's dialect with all of BigQuery ML's statements and functions.

sqlglot reads ``CREATE MODEL`` and some functions with a model and a table; it refuses a call
whose only argument is a model, and knows nothing of the rest. Here every ``ML.`` call parses to
:class:`MLTable` (where a table stands) or :class:`MLScalar` (inside an expression), and every
``CREATE MODEL`` to :class:`CreateModel`.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.bigquery import BigQuery
from sqlglot.parsers.bigquery import BigQueryParser
from sqlglot.tokenizer_core import TokenType

from martlet.bqml.expressions import CreateModel, MLScalar, MLTable, TrainingPart

__all__ = ["BigQueryML"]

_NAMESPACES = {"ML", "AI"}

# sqlglot takes a statement that starts with one of these as text up to the semicolon; the script
# reader has to see the words.
_SCRIPT_WORDS = {"BEGIN", "ELSEIF", "EXCEPTION", "LOOP", "REPEAT", "WHILE", "CALL"}


class BigQueryMLParser(BigQueryParser):
    """Reads BigQuery ML's statements and calls."""

    def _warn_unsupported(self) -> None:
        """Say nothing: what cannot be carried over is in the report, with its line."""

    def _at_ml_call(self) -> bool:
        ahead = self._tokens[self._index : self._index + 4]
        return (
            len(ahead) == 4
            and ahead[0].text.upper() in _NAMESPACES
            and ahead[1].token_type == TokenType.DOT
            and ahead[3].token_type == TokenType.L_PAREN
        )

    def _parse_table_parts(
        self,
        schema: bool = False,
        is_db_reference: bool = False,
        wildcard: bool = False,
        fast: bool = False,
    ) -> exp.Table | exp.Dot | None:
        if self._at_ml_call():
            return None if fast else self._parse_ml_table()
        return super()._parse_table_parts(schema, is_db_reference, wildcard, fast)

    def _parse_ml_table(self) -> exp.Table:
        namespace = self._curr.text.lower()
        self._advance(2)
        token = self._curr
        self._advance(2)
        model: exp.Expr | None = None
        inputs: list[exp.Expr] = []
        arguments: list[exp.Expr] = []
        while self._curr and not self._match(TokenType.R_PAREN, advance=False):
            if self._match_text_seq("MODEL"):
                model = self._parse_table_parts()
            elif self._match_text_seq("TABLE"):
                inputs.append(self._required(self._parse_table_parts(), "a table"))
            elif self._match(TokenType.L_PAREN, advance=False):
                inputs.append(self._required(self._parse_table(), "a query"))
            else:
                arguments.append(self._required(self._parse_lambda(), "an argument"))
            if not self._match(TokenType.COMMA):
                break
        self._match_r_paren()
        call = MLTable(
            this=token.text.lower(),
            namespace=namespace,
            model=model,
            inputs=inputs,
            arguments=arguments,
        )
        call.meta["line"] = token.line
        table = exp.Table(this=call)
        table.meta["line"] = token.line
        pivots = self._parse_pivots()
        if pivots:
            table.set("pivots", pivots)
        return table

    def _required(self, node: exp.Expr | None, what: str) -> exp.Expr:
        if node is None:
            self.raise_error(f"Expected {what}")
            return exp.Null()
        return node

    def _parse_function(
        self,
        functions: dict[str, Any] | None = None,
        anonymous: bool = False,
        optional_parens: bool = True,
        any_token: bool = False,
    ) -> exp.Expr | None:
        if not self._at_ml_call():
            return super()._parse_function(functions, anonymous, optional_parens, any_token)
        namespace = self._curr.text.lower()
        self._advance(2)
        token = self._curr
        self._advance(2)
        arguments = self._parse_function_args(alias=True)
        call = MLScalar(this=token.text.lower(), namespace=namespace, expressions=arguments)
        call.meta["line"] = token.line
        self._match_r_paren(call)
        return self._parse_window(call)

    def _parse_create(self) -> exp.Expr:  # type: ignore[override]
        index = self._index
        replace = self._match_text_seq("OR", "REPLACE")
        _ = self._match_text_seq("TEMP") or self._match_text_seq("TEMPORARY")
        if self._match_text_seq("MODEL"):
            return self._parse_create_model(bool(replace))
        self._retreat(index)
        return super()._parse_create()

    def _parse_create_model(self, replace: bool) -> CreateModel:
        exists = self._parse_exists(not_=True)
        name = self._required(self._parse_table_parts(schema=True), "the model's name")
        model = CreateModel(
            this=name, replace=replace, exists=bool(exists), options=[], parts=[], clauses=[]
        )
        while self._curr:
            if self._match_text_seq("TRANSFORM"):
                model.set("transforms", self._parse_wrapped_csv(self._parse_expression))
            elif self._match_text_seq("OPTIONS"):
                model.set("options", self._parse_wrapped_csv(self._parse_model_option))
            elif self._match_text_seq("INPUT") or self._match_text_seq("OUTPUT"):
                model.append("clauses", exp.var(self._prev.text.upper()))
                self._parse_wrapped_csv(self._parse_field_def)
            elif self._match_text_seq("REMOTE"):
                model.append("clauses", exp.var("REMOTE"))
                self._match_text_seq("WITH", "CONNECTION")
                self._parse_table_parts()
            elif self._match(TokenType.ALIAS):
                self._parse_training_data(model)
            else:
                break
        return model

    def _parse_model_option(self) -> exp.Expr | None:
        if self._match(TokenType.R_PAREN, advance=False):
            return None
        token = self._curr
        name = self._parse_id_var(any_token=True) or self._parse_string()
        if name is None or not self._match(TokenType.EQ):
            self.raise_error("Expected an option such as model_type = 'linear_reg'")
        value = self._required(self._parse_bitwise(), "the option's value")
        option = exp.Property(this=exp.var(token.text.lower()), value=value)
        option.meta["line"] = token.line
        return option

    def _parse_training_data(self, model: CreateModel) -> None:
        ahead = self._tokens[self._index : self._index + 4]
        named = (
            len(ahead) == 4
            and ahead[0].token_type == TokenType.L_PAREN
            and ahead[2].token_type == TokenType.ALIAS
            and ahead[1].text.lower() != "with"
            and ahead[3].token_type == TokenType.L_PAREN
        )
        if named:
            model.set("parts", self._parse_wrapped_csv(self._parse_training_part))
        else:
            query = self._parse_ddl_select()
            if isinstance(query, exp.Subquery):
                query = query.unnest()
            model.set("expression", query)

    def _parse_training_part(self) -> TrainingPart:
        name = self._parse_id_var(any_token=True)
        self._match(TokenType.ALIAS)
        query = self._parse_wrapped(self._parse_statement)
        return TrainingPart(this=name, expression=query)


class BigQueryML(BigQuery):
    """BigQuery's dialect as BigQuery ML extends it."""

    class Tokenizer(BigQuery.Tokenizer):
        """Words of scripts stay words."""

        KEYWORDS: ClassVar[dict[str, TokenType]] = {
            word: kind
            for word, kind in BigQuery.Tokenizer.KEYWORDS.items()
            if word not in _SCRIPT_WORDS
        }

    Parser = BigQueryMLParser
