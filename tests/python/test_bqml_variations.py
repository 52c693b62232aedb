"""Blanks, letter case, comments and the order of clauses change nothing."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlglot.tokenizer_core import TokenType

from bqml_support import FIXTURES
from martlet.bqml import Settings, convert
from martlet.bqml.dialect import BigQueryML

FILES = sorted(FIXTURES.glob("*.sql"))
_KEPT = {TokenType.STRING, TokenType.RAW_STRING, TokenType.IDENTIFIER, TokenType.VAR}
_GAPS = [" ", "\n", "\t ", " /* aside */ ", " -- aside\n", "  # aside\n"]


def models(sql: str) -> list[tuple[str, str]]:
    """Names and texts; in lower case, as a column may be called like a keyword."""
    conversion = convert({"f.sql": sql}, Settings(comments=False))
    return [(file.name, file.text.lower()) for file in conversion.files]


def varied(sql: str, seed: int) -> str:
    """Write the same tokens with other blanks, comments and keyword case."""
    chance = random.Random(seed)
    parts: list[str] = []
    end = 0
    for token in BigQueryML().tokenize(sql):
        text = sql[token.start : token.end + 1]
        if parts and sql[end : token.start]:
            parts.append(chance.choice(_GAPS))
        end = token.end + 1
        if token.token_type not in _KEPT:
            text = chance.choice([text, text.upper(), text.lower()])
        parts.append(text)
    return "".join(parts)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("seed", range(3))
def test_layout_case_and_comments_do_not_matter(path: Path, seed: int) -> None:
    sql = path.read_text(encoding="utf-8")
    assert models(varied(sql, seed)) == models(sql)


CLAUSES = [
    "TRANSFORM(ML.STANDARD_SCALER(x) OVER() AS z, y)",
    "OPTIONS(model_type='linear_reg', input_label_cols=['y'])",
]


@pytest.mark.parametrize(
    "statement",
    [
        f"CREATE OR REPLACE MODEL `p.d.m` {CLAUSES[0]} {CLAUSES[1]} AS SELECT x, y FROM d.t",
        f"create model if not exists `p`.`d`.m {CLAUSES[1]} {CLAUSES[0]} as (select x, y from d.t)",
        f"CREATE TEMP MODEL m {CLAUSES[0]} {CLAUSES[1]} AS SELECT x, y FROM d.t",
        f"CREATE MODEL d.m {CLAUSES[0]} {CLAUSES[1]} AS (training_data AS (SELECT x, y FROM d.t))",
        "CREATE MODEL `d.m` TRANSFORM(ml.standard_scaler(x) OVER () AS z, y,)\n"
        'OPTIONS(Model_Type="LINEAR_REG", labels=["y"],) AS SELECT x, y FROM `d`.`t`;',
    ],
)
def test_spellings_of_create_model(statement: str) -> None:
    canonical = f"CREATE MODEL d.m {CLAUSES[0]} {CLAUSES[1]} AS SELECT x, y FROM d.t"
    assert models(statement) == models(canonical)


@pytest.mark.parametrize(
    "call",
    [
        "ML.PREDICT(MODEL `d.m`, TABLE `d.t`, STRUCT(0.55 AS threshold))",
        "ml.predict(model d.m, struct(0.55 as threshold), table d.t)",
        "ML.PREDICT(MODEL `p.d`.m, (SELECT * FROM `d.t`), STRUCT<threshold FLOAT64>(0.55))",
        "ML . PREDICT ( MODEL d.m , ( SELECT * FROM d.t ) , STRUCT ( 0.5 + 0.05 AS threshold ) )",
    ],
)
def test_spellings_of_a_call(call: str) -> None:
    create = "CREATE MODEL d.m OPTIONS(model_type='pca') AS SELECT 1 AS x;"
    (_, text) = models(f"{create} SELECT * FROM {call}")[1]
    assert "{{ ml_predict(ref('m'), source('d', 't'), threshold=0.55) }}" in text


@settings(max_examples=150, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
@given(st.text(alphabet="SELECTFROMML.PREDICT(){}[]*,;'\"`#-/\\ \n\t%@=<>0123abé", max_size=60))
def test_no_text_makes_it_crash(text: str) -> None:
    convert({"f.sql": text})
