"""No request without a charge, no charge beyond the budget."""

from __future__ import annotations

import pytest

from airflow_provider_ghl.api.budget import Budget
from airflow_provider_ghl.exceptions import BudgetSpent


def test_a_budget_gives_as_many_charges_as_it_has() -> None:
    budget = Budget(2)
    budget.charge()
    assert not budget.is_spent
    budget.charge()
    assert budget.is_spent
    with pytest.raises(BudgetSpent, match="max_requests=2"):
        budget.charge()
    assert budget.spent == 2


def test_a_budget_without_a_limit_only_counts() -> None:
    budget = Budget()
    for _ in range(1000):
        budget.charge()
    assert (budget.spent, budget.is_spent) == (1000, False)


def test_a_budget_of_nothing_gives_nothing() -> None:
    with pytest.raises(BudgetSpent):
        Budget(0).charge()


def test_a_charge_is_good_for_one_request() -> None:
    charge = Budget().charge()
    charge.use()
    with pytest.raises(RuntimeError, match="once"):
        charge.use()
