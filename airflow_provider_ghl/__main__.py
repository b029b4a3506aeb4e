"""See :mod:`airflow_provider_ghl.cli`."""

import sys

from airflow_provider_ghl.cli import main

sys.exit(main())
