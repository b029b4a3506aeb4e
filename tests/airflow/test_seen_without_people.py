"""Keys, which may be people's e-mail addresses, are in nothing that Airflow's own places show of a load."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import Asset
from keyed_tables import add_people, bulk, holds
from seeing import Backend, Seen

from airflow_provider_ghl.operators.report import load_report
from airflow_provider_ghl.sandbox import Sandbox

TABLE = [("P-0", "p0@example.org"), ("P-1", "nobody@example.org"), ("P-2", "two@example.org one@example.org")]


@pytest.mark.usefixtures("openlineage")
def test_no_key_anywhere(ghl: Sandbox, metrics: Backend) -> None:
    holds(ghl)
    add_people(ghl, 3)
    texts = []
    for tolerance in (0, 0.9):
        ti = Seen(run_id=f"tolerates {tolerance}")
        load = bulk(TABLE, failure_tolerance=tolerance, outlets=[Asset("table")])
        context: Any = ti.context
        try:
            load.execute(context)
        except Exception as error:  # noqa: BLE001 - whatever the task ends with
            context = {**context, "exception": error}
        key: Any = ti
        texts += [load_report(context), str({asset: vars(event) for asset, event in ti.events.items()})]
        texts += [link.get_link(load, ti_key=key) for link in load.operator_extra_links]
        lineage = load.get_openlineage_facets_on_complete(ti)
        assert lineage is not None
        texts += [str(lineage), *(str(vars(facet)) for facet in lineage.run_facets.values())]
    texts.append(str(metrics.sent))
    assert "2 of 3 rows failed" in texts[0]
    assert "'extra': {'load_id': 'a_dag/tolerates 0.9/load/-1', 'rows': 3" in "".join(texts)
    for word in ("example.org", "nobody", "P-1", "P-2"):
        assert not [text for text in texts if word in text], word
