"""How Prefect's server writes down what becomes of task runs: set for every server that the command starts."""

RECORDER = {
    # one by one takes twice the server's time, falls minutes behind a large growth, and loses what it cannot hold
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
}
"""In batches, and a second later at the latest."""
