"""Who may run which statement. Pure: a parsed statement in, a reason for refusal or None out.

Why the engine's own parser and an allow-list. The embedded engine has no users, and its `readonly = 1` still
writes `INTO OUTFILE`, reads any host file through the scalar function `file`, asks servers on the network
through `s3` and `DESCRIBE`, kills other queries and shows what others run. Patterns over the raw text lose
against comments, heredocs, quoted names and nesting. So the engine first writes the statement in its canonical
form, which also refuses a second statement, and prints its tree; the rules below look at these. The canonical
text is what runs: what was judged is what is executed.

For the read-only user statements, table functions and system tables are allow-lists: what a new engine brings
is refused until someone adds it. Scalar functions are a deny-list, since there are about 1,900 harmless ones; a
test compares the engine's list with it. They are looked for in the tokens, not in the tree, because the tree
leaves out some places (`SHOW ... WHERE`, `APPLY`). `readonly = 1` of the engine stays on below all this.

The writer is the operator; he too gets no host files and no `INTO OUTFILE`, which a server refuses over HTTP.
"""

import re
from collections.abc import Iterator
from enum import Enum
from itertools import pairwise
from typing import Final

from deploy.embedded.clickhouse.syntax import Kind, Statement, Token


class Role(Enum):
    WRITER = "writer"
    READER = "reader"


SELECTS: Final = frozenset({"SelectWithUnionQuery", "SelectQuery", "SelectIntersectExceptQuery"})
_SHOWS: Final = frozenset(
    {
        *("ShowTables", "ShowColumns", "ShowIndexes", "ShowFunctions", "ShowSetting", "ShowEngineQuery"),
        *("ShowCreateTableQuery", "ShowCreateViewQuery", "ShowCreateDatabaseQuery"),
        *("ShowCreateDictionaryQuery", "ExistsTableQuery", "ExistsViewQuery", "ExistsDatabaseQuery"),
        *("ExistsDictionaryQuery",),
    }
)
READS: Final = SELECTS | _SHOWS | {"Explain", "DescribeQuery"}
_EXPLAINS: Final = re.compile(r"EXPLAIN( AST| SYNTAX| QUERY TREE| PLAN| PIPELINE| ESTIMATE)?")
_SESSION_ONLY: Final = {"Set": "SET", "UseQuery": "USE", "SetRoleQuery": "SET ROLE"}

TABLE_FUNCTIONS: Final = frozenset(
    {
        *("numbers", "numbers_mt", "zeros", "zeros_mt", "generateseries", "generate_series"),
        *("values", "view", "null", "dictionary"),
    }
)
SYSTEM_TABLES: Final = frozenset(
    {
        *("aggregate_function_combinators", "collations", "columns", "contributors", "data_skipping_indices"),
        *("data_type_families", "databases", "formats", "functions", "keywords", "licenses", "numbers"),
        *("numbers_mt", "one", "projections", "settings", "table_engines", "table_functions", "tables"),
        *("time_zones", "zeros", "zeros_mt"),
    }
)
_OPEN_DATABASES: Final = frozenset({"information_schema"})
DENIED_FUNCTIONS: Final = frozenset(
    {
        # host files and what the process is
        *(
            "file",
            "catboostevaluate",
            "getmacro",
            "getserversetting",
            "showcertificate",
            "structuretocapnprotoschema",
        ),
        *("structuretoprotobufschema", "filesystemavailable", "filesystemcapacity", "filesystemunreserved"),
        *(
            "fqdn",
            "fullhostname",
            "hostname",
            "displayname",
            "getoskernelversion",
            "tcpport",
            "serveruuid",
            "getserverport",
        ),
        # memory of the process
        *("addresstoline", "addresstolinewithinlines", "addresstosymbol"),
        # time and space without use
        *("sleep", "sleepeachrow", "logtrace", "fuzzquery", "fuzzjson"),
    }
)
_ASKS_A_MODEL: Final = re.compile(r"ai[A-Z]")  # aiGenerate and the like send data to a server
# Table functions, engines and dictionary sources that open files of the host, also for the writer.
HOST_FILES: Final = frozenset(
    {
        *("file", "filecluster", "executable", "executablepool", "python", "filesystem", "sqlite", "disk"),
        *(
            "iceberglocal",
            "iceberglocalcluster",
            "deltalakelocal",
            "paimonlocal",
            "filelog",
            "catboostevaluate",
        ),
        *("embeddedrocksdb", "local", "library", "localfile"),
    }
)
_PLAIN_TABLE: Final = re.compile(r"[\w$ -]+(\.[\w$ -]+)?")
_NAMING: Final = frozenset({"TableIdentifier", "Identifier"})


def refusal(role: Role, statement: Statement, database: str | None) -> str | None:
    """Why this user may not run it, as one sentence that says what to do; None when he may.

    `database` is the one that unqualified names are looked up in.
    """
    reasons = _for_everyone(statement) if role is Role.WRITER else _for_reader(statement, database)
    return next(reasons, None)


def lexical_refusal(canonical_tokens: tuple[Token, ...]) -> str | None:
    """What is refused before the engine explains the statement: a clause that explaining might execute."""
    for left, right in pairwise(canonical_tokens):
        if left.is_word("INTO") and right.is_word("OUTFILE"):
            return "INTO OUTFILE is not available over HTTP; leave it out and save the reply on your side"
        if left.is_word("FROM") and right.is_word("INFILE"):
            return "FROM INFILE is not available over HTTP; send the data in the body of the request"
    return None


def is_read(statement: Statement) -> bool:
    """Runs on a read-only connection. EXPLAIN counts as one: it does not execute what it explains."""
    return statement.root in READS or statement.root.startswith("Show")


def _for_everyone(statement: Statement) -> Iterator[str]:
    if statement.root in _SESSION_ONLY:
        yield (
            f"{_SESSION_ONLY[statement.root]} has no effect here, each request stands alone; send settings and the"
            " database as parameters of the request"
        )
    words = [token.text.upper() for token in statement.tokens[:2]]
    if words[:1] == ["ATTACH"] and _names_path(statement.tokens):
        yield "ATTACH from a path of the host is not available; insert the data instead"
    if words in (["CREATE", "TEMPORARY"], ["SYSTEM", "SHUTDOWN"], ["SYSTEM", "KILL"]):
        yield f"{' '.join(words)} is not available in the embedded ClickHouse; it lasts no longer than one request"
    if statement.root == "InsertQuery" and any(name == "input" for name in _called(statement.tokens)):
        yield "INSERT ... SELECT FROM input() is not available in the embedded ClickHouse; insert the data as they are"
    for name in _called(statement.tokens):
        if name.lower() in HOST_FILES:
            yield f"{name} would open files of the host and is not available; send the data in the request"


def _for_reader(statement: Statement, database: str | None) -> Iterator[str]:
    if statement.root not in READS:
        yield "this user only reads (SELECT, SHOW, DESCRIBE, EXISTS, EXPLAIN); use the writer for the rest"
    if statement.root == "Explain":
        yield from _explained(statement)
    # The engine refuses SETTINGS of the whole statement in readonly mode, but lets those of a subquery through.
    if any(node.type == "Set" for node in statement.nodes):
        yield "SETTINGS cannot be changed by this user; leave the clause out"
    if statement.root in _SHOWS and any(token.text == "(" for token in statement.tokens):
        yield "conditions with functions are not available in SHOW; use LIKE, or select from system.tables"
    if (database or "").lower() == "system":
        yield "the database cannot be system for this user; write system.<table> in the query"
    for name in (*_called(statement.tokens), *_applied(statement.tokens)):
        if _is_denied(name):
            yield f"the function {name} is not available to this user; it reaches outside of the stored data"
    yield from _sources(statement)


def _explained(statement: Statement) -> Iterator[str]:
    kind = statement.nodes[0].name
    inner = next((node for node in statement.nodes[1:] if node.depth == 1), None)
    if not _EXPLAINS.fullmatch(kind) or inner is None or inner.type not in SELECTS:
        yield "this user can explain a SELECT only, and without options"


def _sources(statement: Statement) -> Iterator[str]:
    for node in statement.nodes:
        if node.type == "Function" and node.parent == "TableExpression":
            if node.name.lower() not in TABLE_FUNCTIONS:
                yield f"the table function {node.name} is not available to this user; read tables of this database"
        elif node.type == "TableIdentifier" and not _PLAIN_TABLE.fullmatch(node.name):
            yield "this table name is not available to this user: only letters, digits, _, -, $ and spaces are"
        elif node.type in _NAMING and _is_closed(node.name):
            yield f"{node.name} is not available to this user; it shows how the machine is set up, not the stored data"
    if statement.root in _SHOWS:
        yield from _shown(statement.tokens)


def _shown(found: tuple[Token, ...]) -> Iterator[str]:
    """SHOW and EXISTS name a table by tokens: system . name."""
    for left, dot, right in zip(found, found[1:], found[2:], strict=False):
        if dot.text == "." and _is_closed(f"{left.text}.{right.text}"):
            yield f"{left.text}.{right.text} is not available to this user"


def _is_closed(name: str) -> bool:
    database, dot, table = name.partition(".")
    # An identifier may also be a column of a table named system: the same two words, and nobody names one so.
    return bool(dot) and database.lower() == "system" and table.partition(".")[0] not in SYSTEM_TABLES


def _is_denied(name: str) -> bool:
    lower = name.lower()
    return lower in DENIED_FUNCTIONS or bool(_ASKS_A_MODEL.match(name))


def _called(found: tuple[Token, ...]) -> Iterator[str]:
    """Names that a parenthesis follows: functions, table functions, engines, dictionary sources."""
    for left, right in pairwise(found):
        if right.text == "(" and left.kind in (Kind.WORD, Kind.NAME):
            yield left.text


def _applied(found: tuple[Token, ...]) -> Iterator[str]:
    """`* APPLY f` and `* APPLY (f)` call f without a parenthesis behind its name."""
    for at, token in enumerate(found[:-1]):
        if token.is_word("APPLY"):
            rest = [next_ for next_ in found[at + 1 : at + 3] if next_.text != "("]
            yield from (next_.text for next_ in rest[:1])


def _names_path(found: tuple[Token, ...]) -> bool:
    pairs = pairwise(found)
    return any(left.is_word("FROM") and right.kind is Kind.STRING for left, right in pairs)
