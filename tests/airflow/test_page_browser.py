"""The page in a real browser, inside the whole of Airflow, which is below a base path: found in the navigation and in a task's
tab, used, and refused.

Set ``GHL_SCREENSHOTS`` to a folder, such as ``docs/images``, and its pictures are written there.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from page_history import Night, write_month
from standalone import LOGIN, Api, standalone, wait_for

from airflow_provider_ghl.sandbox import Sandbox

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NO_BROWSER = "no Chromium on this machine"
ARGUMENTS = (
    *("--no-sandbox", "--disable-background-networking", "--disable-gpu", "--no-first-run"),
    *("--disable-component-update", "--disable-sync"),
)
#: The pictures of the manual, besides that of the page inside Airflow.
PICTURES = ("loads-light-1280", "loads-dark-1280", "load-dark-400")
GUEST = "guest"
DAG = "ghl_late"
#: The guest may read every DAG but this one. ``airflow standalone`` insists on its own auth manager, so that is taught by a
#: plugin.
RULE = f"""
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

of_roles = SimpleAuthManager.is_authorized_dag

def by_user(self, *, user, details=None, **rest):
    is_hidden = user.username == {GUEST!r} and details is not None and details.id == {DAG!r}
    return not is_hidden and of_roles(self, user=user, details=details, **rest)

SimpleAuthManager.is_authorized_dag = by_user
"""
#: A load of which some rows are bad, for several reasons.
LOAD = f"""
from airflow.sdk import DAG
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator

with DAG({DAG!r}, schedule=None):
    names = ("entry_id", "first_record_id", "second_record_id")
    good = [(f"A-{{row:04d}}", f"contact-{{row}}", "event-1") for row in range(60)]
    bad = [(f"L-{{row:04d}}", f"nobody-{{row:04d}}", "event-1") for row in range(7)]
    worse = [("M-0001", "", "event-1"), ("M-0002", "ada@example.com", "event-1")]
    rows = [dict(zip(names, row)) for row in good + bad + worse]
    BulkCreateRelationsOperator(task_id="load_late_entries", association_key="attended", rows=rows, row_key_column="entry_id")

with DAG("ghl_nightly", schedule=None):
    pass
"""


@dataclass
class World:
    """Airflow with a red load and a month before it, and a browser."""

    api: Api
    browser: Any
    home: Path

    def log_in(self, name: str, **options: Any) -> Any:
        """A page of a new browser that has the cookie of somebody who has logged in."""
        context = self.browser.new_context(**options)
        token = self.api.call("POST", "/auth/token", {"username": name, "password": name})["access_token"]
        context.add_cookies([{"name": "_token", "value": token, "url": f"{self.api.url}/"}])
        return context.new_page()

    def fill_in_login(self, page: Any, name: str) -> None:
        """As a person does."""
        page.fill("input[name=username]", name)
        page.fill("input[name=password]", name)
        page.click("button[type=submit]")
        page.wait_for_url(lambda address: "/login" not in address)

    @property
    def pictures(self) -> Path | None:
        """Where pictures are wanted."""
        folder = os.environ.get("GHL_SCREENSHOTS")
        return Path(folder).absolute() if folder else None


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if CHROMIUM is None:
        pytest.skip(NO_BROWSER)
    from playwright.sync_api import sync_playwright

    home = tmp_path_factory.mktemp("page")
    dags = home / "dags"
    dags.mkdir()
    (dags / f"{DAG}.py").write_text(LOAD)
    plugins = home / "plugins"
    plugins.mkdir()
    (plugins / "by_user.py").write_text(RULE)
    settings = {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{LOGIN}:admin,{GUEST}:viewer"}
    with Sandbox(limit=None) as highlevel:
        highlevel.state.add_association("attended", "contact", "custom_objects.event", "Attendee", "Event")
        highlevel.state.add_record("custom_objects.event", "event-1")
        for row in range(60):
            highlevel.state.add_record("contact", f"contact-{row}")
        write_month(home / "ghl_ledger.db", highlevel.location_id)
        with (
            standalone(home, dags, users=(LOGIN, GUEST), base_path="/deployments/one", **settings) as api,
            sync_playwright() as playwright,
        ):
            run_red(api, highlevel)
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
            yield World(api, browser, home)
            browser.close()


def run_red(api: Api, highlevel: Sandbox) -> None:
    """The load, in Airflow's own processes."""
    said = {"connection_id": "ghl_default", "conn_type": "ghl", "host": highlevel.url, "password": highlevel.token}
    api.call("POST", "/api/v2/connections", {**said, "extra": f'{{"location_id": "{highlevel.location_id}"}}'})
    wait_for(
        "the file",
        lambda: api.call("GET", "/api/v2/dags")["dags"] or api.call("GET", "/api/v2/importErrors")["import_errors"] or None,
    )
    assert api.call("GET", "/api/v2/importErrors")["total_entries"] == 0
    run = api.call("POST", f"/api/v2/dags/{DAG}/dagRuns", {"logical_date": None, "dag_run_id": "late_1"})
    path = f"/api/v2/dags/{DAG}/dagRuns/{run['dag_run_id']}"
    wait_for("a red run", lambda: True if api.call("GET", path)["state"] == "failed" else None)


def test_from_the_navigation_to_the_row(world: World, tmp_path: Path) -> None:
    """Somebody is told that a task is red."""
    page = world.browser.new_context(accept_downloads=True, viewport={"width": 1280, "height": 900}).new_page()
    troubles = collected_troubles(page)
    page.goto(f"{world.api.url}/")
    world.fill_in_login(page, LOGIN)
    page.get_by_role("button", name="Browse").click()
    page.get_by_role("menuitem", name="HighLevel loads").click()
    frame = page.frame_locator("iframe[title='HighLevel loads']")
    frame.get_by_role("heading", name="Loads", exact=True).wait_for()
    red = frame.get_by_role("row").filter(has_text=DAG)
    assert "9 of 69" not in red.inner_text()
    assert re.search(r"failed.*2 invalid, 7 rejected, 60 created", " ".join(red.inner_text().split()))
    red.get_by_role("link").first.click()
    frame.get_by_role("heading", name="Load 61").wait_for()
    if world.pictures:
        page.screenshot(path=world.pictures / "page-in-airflow.png")
    wait_for("the address of the load", lambda: True if page.url.endswith("/plugin/ghl/deployments/one/ghl/loads/61") else None)
    assert "9 of 69 rows failed, 7 of them rejected" in frame.get_by_role("status").inner_text()
    frame.get_by_label("Row number, row key or record id").fill("L-0003")
    frame.get_by_role("button", name="Search").click()
    frame.get_by_text("Download what was found as CSV").wait_for()
    row = frame.get_by_role("region", name="Rows of load 61").get_by_role("row").nth(1)
    assert "L-0003" in row.inner_text()
    assert "nobody-0003" in row.inner_text()
    with page.expect_download() as waiting:
        frame.get_by_text("Download what was found as CSV").click()
    assert waiting.value.suggested_filename == "load-61.csv"
    waiting.value.save_as(tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(newline="") as file:
        assert [(one["row_key"], one["outcome"]) for one in csv.DictReader(file)] == [("L-0003", "rejected")]
    assert troubles == []


def test_it_has_the_theme_of_the_ui_around_it(world: World) -> None:
    """Which may differ from the browser's, and change while the page is open."""
    page = world.log_in(LOGIN, color_scheme="light")
    page.goto(f"{world.api.url}/")
    page.evaluate("localStorage.setItem('theme', 'dark')")
    page.goto(f"{world.api.url}/plugin/ghl")
    frame = page.frame_locator("iframe")
    frame.locator("html[data-theme=dark]").wait_for(state="attached")
    page.evaluate("document.documentElement.className = 'light'")
    frame.locator("html[data-theme=light]").wait_for(state="attached")


def test_from_the_page_to_the_task_and_its_tab(world: World) -> None:
    """Links to Airflow's own pages open there and not in the frame; the tab of the task shows its load."""
    page = world.log_in(LOGIN)
    troubles = collected_troubles(page)
    page.goto(f"{world.api.url}/plugin/ghl/deployments/one/ghl/loads/61")
    page.frame_locator("iframe").get_by_role("link", name="load_late_entries").click()
    page.wait_for_url(re.compile(rf"/dags/{DAG}/runs/late_1/tasks/load_late_entries"))
    assert "/plugin/" not in page.url
    page.get_by_role("link", name="HighLevel load", exact=True).click()
    frame = page.frame_locator("iframe[title='HighLevel load']")
    frame.get_by_role("heading", name="Load 61").wait_for()
    assert troubles == []


def test_a_load_that_runs_is_seen_to_end(world: World) -> None:
    """By itself, while something is typed into the search."""
    night = Night(world.home / "ghl_ledger.db")
    attempt = night.begin("load_attendance", "Lc4RtYw8KzPb2NcVx7Qm")
    page = world.log_in(LOGIN)
    troubles = collected_troubles(page)
    page.goto(f"{world.api.url}/ghl/loads/{attempt.load_number}")
    page.get_by_text("It runs: 0 rows were sent or have a problem so far").wait_for()
    page.get_by_label("Row number, row key or record id").fill("half a ke")
    night.ledger.loads.beat(attempt, 40, 0, 0)
    page.get_by_text("with 40 requests").wait_for()
    assert page.get_by_label("Row number, row key or record id").input_value() == "half a ke"
    night.end(attempt, {"rows": 40, "created": 40}, "green", "40 rows: 40 created.")
    night.ledger.close()
    page.get_by_text("40 rows: 40 created.").wait_for()
    assert page.locator("body[data-refresh]").count() == 0
    assert troubles == []


def test_somebody_who_may_not_read_the_dag(world: World) -> None:
    page = world.log_in(GUEST)
    page.goto(f"{world.api.url}/ghl/loads")
    assert "ghl_nightly" in page.content()
    assert DAG not in page.content()
    for path in ("loads/61", f"task?dag_id={DAG}&run_id=late_1&task_id=load_late_entries"):
        refused = page.goto(f"{world.api.url}/ghl/{path}")
        assert refused.status == 404
    assert page.request.get(f"{world.api.url}/ghl/loads/61.csv").status == 404


def test_nobody_is_sent_to_the_login_and_comes_back(world: World) -> None:
    page = world.browser.new_context().new_page()
    page.goto(f"{world.api.url}/ghl/loads/61")
    assert "/login" in page.url
    world.fill_in_login(page, LOGIN)
    page.wait_for_url(f"{world.api.url}/ghl/loads/61")
    page.get_by_role("heading", name="Load 61").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_it_fits_every_window(world: World, scheme: str, width: int) -> None:
    page = world.log_in(LOGIN, color_scheme=scheme, viewport={"width": width, "height": 900})
    for name, path in (("loads", "loads"), ("load", "loads/61"), ("locations", "locations"), ("ledger", "ledger")):
        page.goto(f"{world.api.url}/ghl/{path}")
        assert page.evaluate("document.documentElement.scrollWidth") == width, f"{path} is wider than its window"
        if world.pictures and f"{name}-{scheme}-{width}" in PICTURES:
            page.screenshot(path=world.pictures / f"page-{name}-{scheme}-{width}.png")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"


def collected_troubles(page: Any) -> list[str]:
    """What the browser complains of while it shows our addresses, such as something that the policy forbids."""
    troubles: list[str] = []
    page.on(
        "console", lambda said: troubles.append(said.text) if said.type == "error" and "/ghl/" in str(said.location) else None
    )
    page.on("pageerror", lambda error: troubles.append(str(error)))
    return troubles
