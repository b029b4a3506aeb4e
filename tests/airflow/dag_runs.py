"""DAGs as ``dag.test()`` runs them: in this process, with a database, without scheduler and API server."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.models.dagbundle import DagBundleModel
from airflow.models.xcom import XComModel
from airflow.sdk import DAG
from airflow.utils.session import create_session

BUNDLE = "tests"


class Finished:
    """A run that has ended."""

    def __init__(self, dag_run: Any) -> None:
        self._run_id = dag_run.run_id
        self.state = str(dag_run.state)
        instances = dag_run.get_task_instances()
        self.states = {(ti.task_id, ti.map_index): str(ti.state) for ti in instances}
        self.rendered = {(ti.task_id, ti.map_index): ti for ti in instances}

    def xcom(self, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """What a task instance pushed; ``None`` where it did not."""
        with create_session() as session:
            found = session.scalars(
                XComModel.get_many(run_id=self._run_id, key=key, task_ids=task_id, map_indexes=map_index)
            ).first()
            return None if found is None else XComModel.deserialize_value(found)


def in_database(dag: DAG) -> DAG:
    """Make Airflow's database know the DAG."""
    bag = DagBag(os.devnull)
    bag.bag_dag(dag)
    with create_session() as session:
        session.merge(DagBundleModel(name=BUNDLE))
    sync_bag_to_db(bag, BUNDLE, "1")
    return dag


def run_dag(dag: DAG, conf: dict[str, Any] | None = None) -> Finished:
    """Run it to its end.

    :param conf: the run's configuration, which Airflow keeps.
    """
    return Finished(in_database(dag).test(run_conf=conf))


def dag_of(build: Callable[[], object], name: str) -> DAG:
    """A DAG with what ``build`` defines."""
    with DAG(dag_id=name, schedule=None, catchup=False) as dag:
        build()
    return dag
