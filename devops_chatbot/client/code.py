"""The client's part for what conversations work with: runs of code, attached files, and the state of the sandbox."""

from collections.abc import Generator, Mapping, Sequence

from devops_chatbot.client.connection import Connection, Download, Upload, quoted
from devops_chatbot.code import Attachment, CodeRun, ThreadSandbox
from devops_chatbot.schemas.threads import RunRequest, ThreadSandboxChange
from devops_chatbot.values import from_json, from_page
from sandbox.model import AttackResult, Language, OutputChunk, SandboxReadiness


class Bench:
    """Routes below `/threads/{id}` and `/sandboxes`. Raises as the client does."""

    def __init__(self, connection: Connection) -> None:
        self._to = connection

    # --- runs of code

    def run(
        self, thread: str, *, message: str, block: int, language: str, code: str, timeout_s: float | None = None
    ) -> Generator[OutputChunk | CodeRun]:
        """Run code; its output as it comes, and last what was kept. Closing the generator stops the run."""
        body = RunRequest(message=message, block=block, language=language, code=code, timeout_s=timeout_s)
        kinds: Mapping[str, type[OutputChunk | CodeRun]] = {"chunk": OutputChunk, "run": CodeRun}
        return self._to.events("POST", f"{_thread(thread)}/runs", kinds, body=body)

    def runs(self, thread: str) -> list[CodeRun]:
        """The newest run of each code block, oldest first."""
        return self._to.rows(CodeRun, f"{_thread(thread)}/runs")

    def delete_run(self, thread: str, run: str) -> None:
        self._to.send("DELETE", f"{_thread(thread)}/runs/{quoted(run)}")

    def artifact(self, thread: str, run: str, number: int) -> Download:
        """The bytes of something that a run made."""
        response = self._to.send("GET", f"{_thread(thread)}/runs/{quoted(run)}/artifacts/{number}")
        return Download.of(response, otherwise=str(number))

    def export(self, thread: str) -> Download:
        """The conversation as a zip archive."""
        return Download.of(self._to.send("GET", f"{_thread(thread)}/export"), otherwise=f"{thread}.zip")

    # --- the session that they run in

    def sandbox(self, thread: str) -> ThreadSandbox:
        """The conversation's session and its auto-run switch."""
        return self._to.get(ThreadSandbox, f"{_thread(thread)}/sandbox")

    def set_auto_run(self, thread: str, wanted: bool) -> ThreadSandbox:
        """Whether whoever shows the conversation runs the code of new answers by itself."""
        body = ThreadSandboxChange(auto_run=wanted)
        response = self._to.send("PATCH", f"{_thread(thread)}/sandbox", body=body)
        return from_json(ThreadSandbox, response.content)

    def interrupt(self, thread: str) -> None:
        """Stop what runs."""
        self._to.send("POST", f"{_thread(thread)}/sandbox/interrupt")

    def reset(self, thread: str) -> None:
        """Start again in a fresh container."""
        self._to.send("POST", f"{_thread(thread)}/sandbox/reset")

    def close_session(self, thread: str) -> None:
        """End the session; the next run opens another."""
        self._to.send("DELETE", f"{_thread(thread)}/sandbox")

    # --- attached files

    def attachments(self, thread: str) -> list[Attachment]:
        """Oldest first."""
        return self._to.rows(Attachment, f"{_thread(thread)}/attachments")

    def attach(self, thread: str, files: Sequence[Upload]) -> list[Attachment]:
        """Attach files; returns them, perhaps while they are still being read."""
        return from_page(Attachment, self._to.send_files(f"{_thread(thread)}/attachments", files).content)

    def attachment(self, thread: str, attachment: str) -> Download:
        """The file as it was sent."""
        response = self._to.send("GET", f"{_thread(thread)}/attachments/{quoted(attachment)}")
        return Download.of(response, otherwise=attachment)

    def detach(self, thread: str, attachment: str) -> None:
        """Remove an attached file."""
        self._to.send("DELETE", f"{_thread(thread)}/attachments/{quoted(attachment)}")

    # --- the sandbox

    def state(self) -> SandboxReadiness:
        """What the sandbox can do now. Raises `SandboxUnavailable` with the reason when it can do nothing."""
        return self._to.get(SandboxReadiness, "/sandboxes/readiness")

    def languages(self) -> list[Language]:
        """The languages that the product knows."""
        return self._to.rows(Language, "/sandboxes/languages")

    def selftest(self) -> Generator[AttackResult]:
        """Try to break out on the sandbox's own host; a result an attack, as they come. Takes a minute."""
        return self._to.events("POST", "/sandboxes/selftest", {"result": AttackResult})


def _thread(thread: str) -> str:
    return f"/threads/{quoted(thread)}"
