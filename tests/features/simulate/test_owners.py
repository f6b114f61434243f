"""Owners, parents and target accounts of the sample company, and that every other row is what it was without them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.panel.build import build_panel
from features.simulate import firms, owners, simulate
from features.simulate import parameters as p
from features.simulate.base import Part, World
from features.simulate.buyers import NEVER
from features.simulate.population import PROSPECT, Accounts, accounts_of_deals, draw_accounts
from features.sources.loader import open_source
from features.sources.schema import NO_SIGNALS
from tests.features.simulate.test_company import TINY
from tests.kit.company import at
from tests.kit.simulated import connect, deals_of, one, world_of

WITHOUT = {
    "accounts.parquet": "ed4d00780a9bfb80",
    "contacts.parquet": "f3d349fa0e928bfe",
    "invoices.parquet": "760ee4056036eb3e",
    "leads.parquet": "79f00931f3fdd622",
    "opportunities.parquet": "b9419230483eff5d",
    "subscriptions.parquet": "b0aac52985439e78",
    "tickets.parquet": "60887e1f93bd945c",
    "touches.parquet": "d8276c912fae811a",
    "truth.parquet": "a7ae5cf2e82b4d57",
    "usage/2025-01.parquet": "01afeda8322dbbb7",
    "usage/2025-02.parquet": "79527ae29b30b7dd",
    "usage/2025-03.parquet": "bae4095d0ca93085",
    "usage/2025-04.parquet": "33ba2bba7e8632dd",
    "usage/2025-05.parquet": "dcd2836d1e5c3699",
    "usage/2025-06.parquet": "e93e2952edafcb4b",
}
"""First digits of `rows_of` each table of the tiny company, as version 0.2 wrote it: before these columns were there."""


def rows_of(folder: Path) -> dict[str, str]:
    """A digest of the rows of each table, in their order, without the columns of this module.

    Of numbers nine digits count: the last bits of `numpy.exp` differ between processors.
    """
    found = {}
    for path in sorted(folder.rglob("*.parquet")):
        table = pq.read_table(path)
        table = table.drop_columns([name for name in NO_SIGNALS if name in table.column_names])
        rows = [{name: f"{v:.9g}" if isinstance(v, float) else v for name, v in r.items()} for r in table.to_pylist()]
        shown = repr((table.column_names, rows))
        found[str(path.relative_to(folder))] = hashlib.sha256(shown.encode()).hexdigest()[:16]
    return found


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    simulate(folder, **TINY)
    return folder


class TestNothingElseHangsOnThem:
    def test_every_other_column_and_table_is_as_it_was(self, tiny: Path) -> None:
        assert rows_of(tiny) == WITHOUT

    def test_a_row_that_hangs_on_them_is_found(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The sabotaged twin: those with an owner are larger by one."""
        drawn = owners.of_accounts

        def larger(world: World, every: firms.Firms, accounts: Accounts, rows: Part) -> Part:
            found = drawn(world, every, accounts, rows)
            return {**found, "employees": rows["employees"] + (found["owner"] >= 0)}

        monkeypatch.setattr(owners, "of_accounts", larger)
        simulate(tmp_path, **TINY)
        found = rows_of(tmp_path)
        assert [name for name in found if found[name] != WITHOUT[name]] == ["accounts.parquet"]

    def test_no_signal_reads_them(self, tiny: Path, tmp_path: Path) -> None:
        """The panel of the company is the same to the bit without these columns."""
        for name in ("accounts", "leads"):
            table = pq.read_table(tiny / f"{name}.parquet")
            table = table.drop_columns([n for n in NO_SIGNALS if n in table.column_names])
            pq.write_table(table, tmp_path / f"{name}.parquet")
        for path in tiny.iterdir():
            if not (tmp_path / path.name).exists():
                (tmp_path / path.name).symlink_to(path)
        with_them, without = open_source("sample", tiny), open_source("sample", tmp_path)
        assert set(NO_SIGNALS) <= set(with_them.columns["accounts"])
        assert not set(NO_SIGNALS) & set(without.columns["accounts"])
        for entity in ("account", "lead"):
            one_, other = (build_panel(s, entity, [at("2025-06-05")]) for s in (with_them, without))  # type: ignore[arg-type]  # both are entities
            assert one_.num_rows > 10
            assert one_.equals(other, check_metadata=True)


class TestOwners:
    def test_one_name_is_one_person(self) -> None:
        names = owners.staff(world_of(accounts=100_000)).to_pylist()
        assert len(set(names)) == len(names) == owners._sizes(world_of(accounts=100_000)).sum()

    def test_owners_are_of_one_region_and_customers_have_others_than_prospects(self, large: Path) -> None:
        connection = connect(large)
        regions = "SELECT count(DISTINCT region) AS n FROM accounts WHERE owner IS NOT NULL GROUP BY owner"
        assert one(connection, f"SELECT max(n) FROM ({regions})") == (1,)
        both = "SELECT owner FROM accounts WHERE kind = 'customer' INTERSECT SELECT owner FROM accounts WHERE kind <> 'customer'"
        assert one(connection, f"SELECT count(*) FROM ({both}) WHERE owner IS NOT NULL") == (0,)
        share = one(connection, "SELECT avg((owner IS NULL)::INT) FROM accounts")[0]
        assert share == pytest.approx(p.UNOWNED_SHARE, abs=0.015)

    def test_an_account_goes_over_to_another_owner_when_it_becomes_a_customer(self, large: Path) -> None:
        moved = "SELECT account_id FROM accounts GROUP BY 1 HAVING count(DISTINCT owner) = 2"
        assert one(connect(large), f"SELECT count(*) > 100 FROM ({moved})") == (True,)

    def test_a_lead_has_an_owner_once_it_is_worked_on(self, large: Path) -> None:
        connection = connect(large)
        assert one(connection, "SELECT count(owner) FROM leads WHERE status = 'open'") == (0,)
        share = one(connection, "SELECT avg((owner IS NULL)::INT) FROM leads WHERE status <> 'open'")[0]
        assert share == pytest.approx(p.UNOWNED_SHARE, abs=0.015)


class TestParents:
    def test_a_parent_came_before_its_children_and_has_none(self, large: Path) -> None:
        first = (
            "SELECT account_id, min(event_time) AS entered, any_value(parent_id) AS parent_id FROM accounts GROUP BY 1"
        )
        pairs = f"FROM ({first}) c JOIN ({first}) g ON c.parent_id = g.account_id"
        connection = connect(large)
        asked = f"SELECT count(*) > 100, bool_and(g.entered < c.entered), count(g.parent_id) {pairs}"
        assert one(connection, asked) == (True, True, 0)
        children = one(connection, f"SELECT count(*) FROM ({first}) WHERE parent_id IS NOT NULL")
        assert children == one(connection, f"SELECT count(*) {pairs}"), "every parent is an account"

    def test_nobody_before_means_no_parent(self) -> None:
        world = world_of(accounts=400)
        every, nobody = firms.found(world, 400), deals_of([], [], [])
        accounts = draw_accounts(world, every, np.full(400, PROSPECT), nobody, accounts_of_deals(world, nobody))
        accounts.entered_us[:] = int(NEVER) // 2
        assert set(owners.parents(world, accounts)) == {-1}


class TestTargetAccounts:
    def test_tiers_follow_the_size(self) -> None:
        world = world_of(accounts=300)
        every, nobody = firms.found(world, 300), deals_of([], [], [])
        accounts = draw_accounts(world, every, np.full(300, PROSPECT), nobody, accounts_of_deals(world, nobody))
        rows = {"account_id": np.arange(300), "kind": np.ones(300, np.int64)}
        tier = owners.of_accounts(world, every, accounts, rows)["target_tier"]
        for code, least in enumerate(p.TARGET_EMPLOYEES):
            assert (every.employees[tier == code] >= least).all()
        assert 0.4 < (tier[every.employees >= p.TARGET_EMPLOYEES[-1]] >= 0).mean() < 0.8
        assert (tier[every.employees < p.TARGET_EMPLOYEES[-1]] == -1).all()


def test_the_columns_are_texts(tiny: Path) -> None:
    schema = pq.read_schema(tiny / "accounts.parquet")
    assert {schema.field(name).type.value_type for name in NO_SIGNALS} == {pa.string()}
