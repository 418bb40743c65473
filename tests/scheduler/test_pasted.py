"""What a question with a pasted log or stack trace is searched by."""

from devops_chatbot.routing.pasted import essence
from devops_chatbot.routing.query_rewriting import standalone

LOG = "\n".join(
    f"2026-11-20T10:{at // 60:02}:{at % 60:02}Z INFO request ok id={at * 7919} took {at % 90}ms" for at in range(300)
)


def test_a_log_is_searched_by_its_lines_of_errors_each_kind_once() -> None:
    errors = "\n".join(f"2026-11-20T10:05:{at:02}Z ERROR etcd: wal fsync took 1.{at}s on peer {at}" for at in range(20))
    query = standalone(f"What is wrong here?\n{LOG[:9000]}\n{errors}\n{LOG[9000:]}", ())
    assert query.startswith("What is wrong here?")
    assert query.count("wal fsync") == 1
    assert "request ok" not in query
    assert "2026-11-20" not in query
    assert len(query) < 2000


def test_a_stack_trace_is_searched_by_what_was_thrown() -> None:
    frames = "\n".join(f"\tat com.shop.pay.Step{at}.run(Step{at}.java:{at})" for at in range(40))
    query = essence(
        f"Checkout fails since noon:\njava.lang.RuntimeException: payment refused\n{frames}\n"
        f"Caused by: java.net.SocketTimeoutException: connect to db-prod-07 timed out\n{frames}\nWhat should we do?"
    )
    assert "Checkout fails since noon" in query
    assert "What should we do?" in query
    assert "connect to db-prod-07 timed out" in query
    assert "Step3" not in query
    python = essence(
        "Why?\nTraceback (most recent call last):\n" + '  File "/app/db.py", line 5, in connect\n    connect()\n' * 6
        + "psycopg2.OperationalError: FATAL: sorry, too many clients already"
    )  # fmt: skip
    assert "too many clients already" in python
    assert "/app/db.py" not in python


def test_of_a_log_without_errors_the_rarest_lines_tell_most() -> None:
    query = essence(f"这是什么？\n{LOG}\n2026-11-20T10:09:00Z INFO leader election lost, standing by\n{LOG}")
    assert query.splitlines()[0] == "这是什么？"
    assert "leader election lost" in query.splitlines()[1]


def test_a_question_of_a_few_lines_stays_as_it_is() -> None:
    text = "The alert says:\nKubePodCrashLooping on payments\nWhat now?"
    assert essence(text) == text
