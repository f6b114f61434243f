"""The star says what was published: facts, accounts as of each run, revenue at risk."""

from __future__ import annotations

import datetime as dt
import functools
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.sources.source import Source
from serving.export import rows, star_schema
from serving.manifest import read_manifest, read_scores
from tests.kit.running import AS_OF


class TestFacts:
    def test_facts_are_the_published_scores_to_the_bit(
        self, nights: dict[str, Path], ask: duckdb.DuckDBPyConnection
    ) -> None:
        run = read_manifest(nights["second"])["run_id"]
        for model in ("churn-risk", "lead-fit"):
            published = read_scores(nights["second"], model)
            facts = ask.sql(
                f"SELECT * FROM score_fact WHERE run_id = '{run}' AND model = '{model}' ORDER BY entity_id"
            ).to_arrow_table()
            assert len(facts) > 100
            for name in (
                "entity_id",
                "as_of",
                "probability",
                "score",
                "band",
                "value_at_risk",
                "no_score",
                "previous_score",
            ):
                assert facts[name].to_pylist() == published[name].to_pylist(), name

    def test_reasons_have_the_published_rank(self, nights: dict[str, Path], ask: duckdb.DuckDBPyConnection) -> None:
        run = read_manifest(nights["second"])["run_id"]
        told = ask.sql(
            "SELECT entity_id, list(struct_pack(rank, signal, effect, text) ORDER BY rank) FROM reason_fact JOIN score_fact "
            f"USING (score_key) WHERE score_fact.run_id = '{run}' AND model = 'churn-risk' GROUP BY 1"
        ).fetchall()
        published = {
            row["entity_id"]: row["reasons"]
            for row in read_scores(nights["second"], "churn-risk").to_pylist()
            if row["reasons"]
        }
        assert len(told) == len(published) > 100
        for entity_id, reasons in told:
            assert [r["rank"] for r in reasons] == list(range(1, len(reasons) + 1))
            expected = [(r["signal"], r["effect"], r["text"]) for r in published[entity_id]]
            assert [(r["signal"], r["effect"], r["text"]) for r in reasons] == expected

    def test_members_sum_to_their_reason_to_the_bit(self, star: Path) -> None:
        """Of every reason that speaks for several signals, in their order; and no signal of a score is told twice."""
        read = {name: pd.read_parquet(star / name) for name in ("reason_fact", "reason_member_fact")}
        members = read["reason_member_fact"].sort_values(["score_key", "rank", "member"])
        effects = read["reason_fact"].set_index(["score_key", "rank"])["effect"]
        sums = {
            key: functools.reduce(float.__add__, own) for key, own in members.groupby(["score_key", "rank"])["effect"]
        }
        assert len(sums) > 1_000
        assert all(effects[key] == found for key, found in sums.items())
        assert not members.duplicated(["score_key", "signal"]).any()
        assert (members.groupby(["score_key", "rank"]).size() > 1).all()

    def test_every_fact_joins_its_dimensions(self, star: Path, ask: duckdb.DuckDBPyConnection) -> None:
        """In DuckDB and in pandas: every score finds its run, its model and its account, every reason its score."""
        joined = ask.execute(
            "SELECT count(*), count(happened), count(DISTINCT region) FROM score_fact JOIN run_dim USING (run_id) JOIN model_dim USING (model_key) "
            "JOIN account_dim USING (account_key) JOIN reason_fact USING (score_key) LEFT JOIN outcome_fact USING (score_key)"
        ).fetchone()
        read = {
            table: pd.read_parquet(star / table) for table in ("score_fact", "account_dim", "model_dim", "reason_fact")
        }
        found = (
            read["score_fact"]
            .merge(read["model_dim"], on="model_key")
            .merge(read["account_dim"], on="account_key")
            .merge(read["reason_fact"], on="score_key")
        )
        told = read["reason_fact"]["score_key"].str.contains("/churn-risk/").sum()
        outcomes = found.merge(pd.read_parquet(star / "outcome_fact")[["score_key", "happened"]], on="score_key")
        assert joined == (told, outcomes["happened"].notna().sum(), found["region"].nunique())
        assert len(found) == told > len(outcomes) > 100
        alone = "SELECT count(*) FROM score_fact ANTI JOIN lead_dim USING (lead_key) ANTI JOIN account_dim USING (account_key)"
        assert ask.execute(alone).fetchone() == (0,)

    def test_keys_are_keys(self, ask: duckdb.DuckDBPyConnection) -> None:
        for table in star_schema.TABLES:
            key = ", ".join(table.key)
            twice = ask.execute(
                f"SELECT count(*) FROM (FROM {table.name} SELECT {key} GROUP BY ALL HAVING count(*) > 1)"
            )
            assert twice.fetchone() == (0,), table.name


class TestAccounts:
    def test_accounts_are_as_they_were_at_each_run(self, ask: duckdb.DuckDBPyConnection) -> None:
        """The same account has a row per run, and what changed between them differs."""
        moved = ask.execute(
            "SELECT count(*) FROM account_dim a JOIN account_dim b USING (account_id) WHERE a.as_of < b.as_of "
            "AND a.tenure_days + 28 = b.tenure_days AND a.renewal_date IS DISTINCT FROM b.renewal_date"
        ).fetchone()
        assert moved is not None
        assert moved[0] > 10

    def test_the_renewal_date_is_that_of_the_contract(self, source: Source, ask: duckdb.DuckDBPyConnection) -> None:
        """The day of `term_end` of accounts with one paid contract, read from the source itself."""
        us = int(dt.datetime(2026, 1, 1, tzinfo=dt.UTC).timestamp()) * 1_000_000
        ends = dict(
            source.query(
                "SELECT account_id, make_timestamp(min(term_end_us))::DATE FROM subscriptions WHERE status IN ('active', 'notice') "
                f"AND mrr > 0 AND from_us < {us} AND until_us >= {us} GROUP BY 1"
            )
        )
        found = dict(
            ask.sql(
                f"SELECT account_id, renewal_date FROM account_dim WHERE as_of = '{AS_OF}' AND renewal_date IS NOT NULL"
            ).fetchall()
        )
        assert len(found) > 100
        assert found == {account: end for account, end in ends.items() if end is not None}

    def test_accounts_have_names_when_the_source_is_given(
        self, nights: dict[str, Path], add: Any, star: Path, tmp_path: Path
    ) -> None:
        assert pd.read_parquet(star / "account_dim")["name"].notna().all()
        add(nights["second"], tmp_path, source=None)
        assert pd.read_parquet(tmp_path / "account_dim")["name"].isna().all()


class TestArrAtRisk:
    def test_arr_at_risk_adds_up_to_the_facts(self, ask: duckdb.DuckDBPyConnection) -> None:
        """By another way: DuckDB over the facts, in decimals."""
        money = "sum(round({}, 2)::DECIMAL(18, 2))"
        by_facts = ask.sql(
            f"SELECT coalesce(renewal_month, '(not on record)') AS m, coalesce(region, '(not on record)') AS r, count(*), "
            f"{money.format('arr')}, {money.format('coalesce(value_at_risk, 0)')}, "
            f"{money.format('CASE WHEN probability IS NULL THEN 0 ELSE arr END')} "
            f"FROM score_fact JOIN account_dim USING (account_key) WHERE score_fact.as_of = '{AS_OF}' AND arr > 0 GROUP BY 1, 2 ORDER BY 1, 2"
        ).fetchall()
        by_table = ask.execute(
            f"SELECT renewal_month, region, sum(accounts), {money.format('arr')}, {money.format('arr_at_risk')}, {money.format('arr_scored')} "
            f"FROM arr_at_risk WHERE as_of = '{AS_OF}' GROUP BY 1, 2 ORDER BY 1, 2"
        ).fetchall()
        assert by_table == by_facts
        assert len(by_facts) > 20

    def test_all_revenue_is_in_one_of_three_groups(self, ask: duckdb.DuckDBPyConnection) -> None:
        wrong = "SELECT count(*) FROM arr_at_risk WHERE abs(arr - arr_scored - arr_leaving - arr_not_scored) > 1e-6"
        assert ask.execute(wrong).fetchone() == (0,)
        leaving = ask.execute("SELECT sum(arr_leaving), sum(arr_at_risk) FROM arr_at_risk").fetchone()
        assert leaving is not None
        assert leaving[0] > 0
        assert leaving[1] > 0

    def test_accounts_beside_the_scores_of_others_are_refused(self, star: Path) -> None:
        """The sabotaged twin: one row apart, the sums would still look well."""
        file = sorted((star / "account_dim").iterdir())[-1]
        accounts = pq.read_table(file)
        scores = pq.read_table(star / "score_fact" / file.name).slice(0, len(accounts))
        rows.AtRisk().add(accounts, scores)
        with pytest.raises(ValueError, match="row for row"):
            rows.AtRisk().add(accounts.slice(1), scores.slice(0, len(accounts) - 1))
