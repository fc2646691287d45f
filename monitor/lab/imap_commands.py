"""The IMAP commands that we serve, and the answer to each: no socket, no loop."""

from collections.abc import Callable

from monitor.lab import imap_folders as folders
from monitor.lab import imap_messages as messages
from monitor.lab.imap_faults import admit, check
from monitor.lab.imap_parse import BadCommandError, Command, RefusedError, text_at
from monitor.lab.imap_session import Session

Handler = Callable[[Session, Command], str]
QUIET_COMMANDS = {"FETCH", "STORE", "SEARCH"}  # no EXPUNGE while these run (RFC 3501 7.4.1)


def capability(session: Session, _command: Command) -> str:
    session.put(b"* CAPABILITY ", session.capabilities.encode("ascii"))
    return "Capability completed."


def noop(_session: Session, command: Command) -> str:
    return f"{command.name.title()} completed."


def check_folder(session: Session, _command: Command) -> str:
    session.open_folder()
    return "Check completed."


def identify(session: Session, _command: Command) -> str:
    session.put(b'* ID ("name" "lab" "vendor" "Seedwatch")')
    return "ID completed."


def login(session: Session, command: Command) -> str:
    arguments = command.arguments()
    return sign_in(session, text_at(arguments, 0), text_at(arguments, 1))


def sign_in(session: Session, address: bytes, password: bytes) -> str:
    if session.mailbox is not None:
        raise BadCommandError("already signed in")
    mailbox = session.identify(
        address.decode("utf-8", "replace"), password.decode("utf-8", "replace")
    )
    admit(session, mailbox)
    session.enter(mailbox)
    return f"[CAPABILITY {session.capabilities}] Logged in"


def logout(session: Session, _command: Command) -> str:
    session.put(b"* BYE Logging out")
    session.is_over = True
    return "Logout completed."


def enable(session: Session, command: Command) -> str:
    session.owner()
    asked = [t.upper() for t in command.arguments() if isinstance(t, bytes)]
    known = b" ".join(t for t in asked if t == b"CONDSTORE" and session.offers("CONDSTORE"))
    session.put(b"* ENABLED", b" " + known if known else b"")
    return "Enable completed."


HANDLERS: dict[str, Handler] = {
    "CAPABILITY": capability,
    "NOOP": noop,
    "CHECK": check_folder,
    "ID": identify,
    "LOGIN": login,
    "LOGOUT": logout,
    "ENABLE": enable,
    "LIST": folders.list_folders,
    "LSUB": folders.lsub,
    "STATUS": folders.status,
    "SELECT": folders.select,
    "EXAMINE": folders.examine,
    "UNSELECT": folders.unselect,
    "CLOSE": folders.close,
    "CREATE": folders.create,
    "SUBSCRIBE": folders.subscribe,
    "UNSUBSCRIBE": folders.subscribe,
    "NAMESPACE": folders.namespace,
    "SEARCH": messages.search,
    "FETCH": messages.fetch,
    "STORE": messages.store,
    "EXPUNGE": messages.expunge,
    "COPY": messages.copy,
    "MOVE": messages.move,
    "APPEND": messages.append,
}


def answer(session: Session, command: Command) -> bytes:
    """Run one command and return the whole reply.

    Raises:
        DroppedError: the scenario, or a changed UIDVALIDITY, ends the connection.
    """
    handler = HANDLERS.get(command.name)
    try:
        if handler is None:
            raise BadCommandError("Unknown command")
        check(session, command)
        text = handler(session, command)
        if command.name not in QUIET_COMMANDS or command.by_uid:
            session.sync()
        session.put(command.tag, b" OK ", text.encode("utf-8", "replace"))
    except BadCommandError as error:
        session.put(command.tag, b" BAD Error in IMAP command: ", one_line(error))
    except RefusedError as error:
        session.put(command.tag, b" NO ", one_line(error))
    return session.take()


def one_line(error: Exception) -> bytes:
    """What went wrong; it may quote the client, who may have sent anything."""
    text = "".join(c if c.isprintable() else "?" for c in str(error))
    return text.encode("utf-8", "replace")
