"""World: what calling a dotted path does outside the run. Tables of names, and the judgement over them. Pure."""

from __future__ import annotations

import ast
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["clock", "randomness", "uuid", "environment", "io", "sleep", "log"]


def table(text: str) -> frozenset[str]:
    """Read a table of dotted paths, written one after the other."""
    return frozenset(text.split())


def blocks(path: str) -> bool:
    """Say whether calling `path` holds up the event loop for as long as something outside takes."""
    if path in _BLOCKING:
        return True
    root, made, method = path.rpartition("()")
    return bool(made and method) and root in _BLOCKING_CLIENTS


def does(path: str, call: ast.Call) -> Kind | None:
    """Say what calling `path`, as `call` does, does to the world or reads of it; None for what is the same in every replay."""
    kind = _CALLS.get(path)
    if kind == "sleep" and call.args and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0:
        return None  # `sleep(0)` only gives way
    if kind is not None:
        return None if len(call.args) >= _TOLD.get(path, 1_000) else kind
    module = path.partition(".")[0]
    if module in _MODULES:
        if path in _SEEDED and (call.args or call.keywords):
            return None
        return None if path in _HARMLESS or "()" in path else _MODULES[module]
    if path.startswith("numpy.random."):
        return None if (path in _SEEDED and (call.args or call.keywords)) or "()" in path else "randomness"
    return _called_method(path)


def _called_method(path: str) -> Kind | None:
    """Judge a method of something that the file shows being made: a path, a client, a logger, an app."""
    root, made, attributes = path.rpartition("()")
    if not made or not attributes.startswith("."):
        return None
    method = attributes.rpartition(".")[2]
    if root in _PATHS:
        return "io" if method in _PATH_IO else None
    if root in _CLIENTS:
        return None if method in _CLIENT_SETTINGS else "io"
    if root == "ig.App":
        return "io" if method in {"send", "send_sync"} else None
    if root in _LOGGERS:
        return "log" if method in _LOG_METHODS else None
    return None


_CLOCK = """
    time.time time.time_ns time.monotonic time.monotonic_ns time.perf_counter time.perf_counter_ns time.process_time time.process_time_ns
    time.thread_time time.thread_time_ns time.localtime time.gmtime time.ctime time.asctime time.strftime
    datetime.datetime.now datetime.datetime.utcnow datetime.datetime.today datetime.date.today
    anyio.current_time trio.current_time asyncio.get_event_loop().time asyncio.get_running_loop().time
    django.utils.timezone.now django.utils.timezone.localtime django.utils.timezone.localdate
    pendulum.now pendulum.today pendulum.yesterday pendulum.tomorrow arrow.now arrow.utcnow
    whenever.Instant.now whenever.ZonedDateTime.now whenever.SystemDateTime.now whenever.OffsetDateTime.now
    pandas.Timestamp.now pandas.Timestamp.today pandas.Timestamp.utcnow freezegun.api.real_time
"""
# How many arguments tell these what they would otherwise take from the world.
_TOLD: Final = {"time.localtime": 1, "time.gmtime": 1, "time.ctime": 1, "time.asctime": 1, "time.strftime": 2} | dict.fromkeys(
    ("bson.ObjectId", "bson.objectid.ObjectId", "ulid.ULID"), 1
)
_UUID = """
    uuid.uuid1 uuid.uuid4 uuid.uuid6 uuid.uuid7 ulid.ULID ulid.new ulid.ulid ulid.api.new shortuuid.uuid shortuuid.ShortUUID().random nanoid.generate
    bson.ObjectId bson.objectid.ObjectId ksuid.ksuid ksuid.Ksuid uuid_utils.uuid4 uuid_utils.uuid7 uuid6.uuid6 uuid6.uuid7 cuid.cuid
    cuid2.Cuid().generate xid.Xid
"""
_ENVIRONMENT = """
    os.getenv os.getenvb os.getpid os.getppid os.getcwd os.getcwdb os.getlogin os.getuid os.geteuid os.uname os.cpu_count os.getloadavg
    socket.gethostname socket.getfqdn platform.node platform.platform platform.system platform.machine
    platform.python_version getpass.getuser pathlib.Path.cwd pathlib.Path.home locale.getlocale threading.get_ident threading.current_thread
    multiprocessing.cpu_count decouple.config
"""
ENVIRONMENT_VALUES: Final = {"os.environ", "os.environb", "sys.argv"}
"""Values, not calls, that read the environment."""
_IO = """
    builtins.open builtins.input io.open os.open os.read os.write os.system os.popen os.listdir os.scandir os.walk os.stat os.remove os.unlink
    os.rename os.replace os.mkdir os.makedirs os.rmdir os.removedirs os.kill os.killpg os.fork os.abort os._exit os.path.exists os.path.isfile
    os.path.isdir os.path.getsize os.path.getmtime glob.glob glob.iglob tempfile.mkstemp tempfile.mkdtemp tempfile.NamedTemporaryFile
    tempfile.TemporaryDirectory tempfile.TemporaryFile
    subprocess.run subprocess.call subprocess.check_call subprocess.check_output subprocess.Popen subprocess.getoutput
    subprocess.getstatusoutput shutil.copy shutil.copy2 shutil.copyfile shutil.copyfileobj shutil.copytree shutil.move shutil.rmtree
    shutil.make_archive shutil.unpack_archive shutil.disk_usage shutil.which
    urllib.request.urlopen urllib.request.urlretrieve http.client.HTTPConnection http.client.HTTPSConnection smtplib.SMTP smtplib.SMTP_SSL
    imaplib.IMAP4 imaplib.IMAP4_SSL ftplib.FTP socket.create_connection socket.gethostbyname socket.getaddrinfo socket.socket
    httpx.get httpx.post httpx.put httpx.patch httpx.delete httpx.head httpx.options httpx.request httpx.stream aiohttp.request
    requests.get requests.post requests.put requests.patch requests.delete requests.head requests.options requests.request
    sqlite3.connect aiosqlite.connect psycopg.connect psycopg.AsyncConnection.connect psycopg2.connect asyncpg.connect asyncpg.create_pool
    pymysql.connect aiomysql.connect MySQLdb.connect mysql.connector.connect oracledb.connect duckdb.connect snowflake.connector.connect
    pyodbc.connect aiofiles.open anyio.open_file anyio.run_process anyio.open_process anyio.connect_tcp anyio.connect_unix anyio.create_tcp_listener
    trio.open_file trio.run_process trio.open_tcp_stream trio.open_unix_socket asyncio.open_connection asyncio.start_server
    asyncio.create_subprocess_exec asyncio.create_subprocess_shell
    litellm.completion litellm.acompletion litellm.embedding litellm.aembedding openai.chat.completions.create
    pandas.read_csv pandas.read_excel pandas.read_json pandas.read_parquet pandas.read_sql pandas.read_sql_query
"""
_SLEEP = """
    time.sleep asyncio.sleep anyio.sleep anyio.sleep_until anyio.sleep_forever trio.sleep trio.sleep_until trio.sleep_forever gevent.sleep
    eventlet.sleep
"""
_LOG = """
    builtins.print pprint.pprint logging.debug logging.info logging.warning logging.error logging.exception logging.critical logging.log
    warnings.warn loguru.logger.trace loguru.logger.debug loguru.logger.info loguru.logger.success loguru.logger.warning loguru.logger.error
    loguru.logger.critical loguru.logger.exception rich.print sys.stdout.write sys.stderr.write
"""
_TABLES: Final[dict[Kind, str]] = {
    "clock": _CLOCK,
    "uuid": _UUID,
    "environment": _ENVIRONMENT,
    "io": _IO,
    "sleep": _SLEEP,
    "log": _LOG,
    "randomness": "os.urandom os.getrandom",
}
_CALLS: Final[dict[str, Kind]] = {path: kind for kind, paths in _TABLES.items() for path in table(paths)}
# Every function of these modules, but for those that are named.
_MODULES: Final[dict[str, Kind]] = {"random": "randomness", "secrets": "randomness"}
_SEEDED: Final = {"random.Random", "random.seed", "numpy.random.default_rng", "numpy.random.RandomState", "numpy.random.Generator"}
_HARMLESS: Final = {"secrets.compare_digest"}

_PATHS: Final = {"pathlib.Path", "pathlib.PosixPath", "pathlib.WindowsPath", "anyio.Path", "trio.Path"}
_PATH_IO: Final = {
    "chmod", "cwd", "exists", "glob", "hardlink_to", "home", "is_dir", "is_file", "iterdir", "lstat", "mkdir", "open", "read_bytes", "read_text",
    "readlink", "rename", "replace", "rglob", "rmdir", "samefile", "stat", "symlink_to", "touch", "unlink", "walk", "write_bytes", "write_text",
}  # fmt: skip
# Making one does nothing yet (a handler may make one and hand it to its steps); calling a method does.
CLIENTS_AT_WORK: Final = {
    f"{path}()"
    for path in table(
        "httpx.Client httpx.AsyncClient aiohttp.ClientSession requests.Session requests.session niquests.Session niquests.AsyncSession"
    )
}
_CLIENTS: Final = {path.removesuffix("()") for path in CLIENTS_AT_WORK} | table(
    """
        openai.OpenAI openai.AsyncOpenAI openai.AzureOpenAI openai.AsyncAzureOpenAI anthropic.Anthropic anthropic.AsyncAnthropic
        google.genai.Client mistralai.Mistral cohere.Client cohere.AsyncClient groq.Groq groq.AsyncGroq
        boto3.client boto3.resource redis.Redis redis.StrictRedis redis.from_url redis.Redis.from_url redis.asyncio.Redis redis.asyncio.from_url
        redis.asyncio.Redis.from_url pymongo.MongoClient motor.motor_asyncio.AsyncIOMotorClient elasticsearch.Elasticsearch
        elasticsearch.AsyncElasticsearch google.cloud.storage.Client google.cloud.bigquery.Client google.cloud.pubsub_v1.PublisherClient
        azure.storage.blob.BlobServiceClient.from_connection_string slack_sdk.WebClient slack_sdk.web.async_client.AsyncWebClient
        twilio.rest.Client sendgrid.SendGridAPIClient stripe.StripeClient urllib3.PoolManager sqlite3.connect psycopg.connect psycopg2.connect
        pymysql.connect http.client.HTTPConnection http.client.HTTPSConnection smtplib.SMTP smtplib.SMTP_SSL
    """
)
_CLIENT_SETTINGS: Final = {"bind", "register_adapter", "with_options", "copy", "mount"}
_LOGGERS: Final = {"logging.getLogger", "structlog.get_logger", "structlog.getLogger", "structlog.stdlib.get_logger"}
_LOG_METHODS: Final = {"debug", "info", "warning", "warn", "error", "exception", "critical", "fatal", "log", "msg"}

_BLOCKING: Final = table(
    """
    time.sleep builtins.input os.system os.popen urllib.request.urlopen urllib.request.urlretrieve smtplib.SMTP smtplib.SMTP_SSL
    imaplib.IMAP4 imaplib.IMAP4_SSL ftplib.FTP socket.create_connection socket.gethostbyname socket.getaddrinfo
    psycopg.connect psycopg2.connect pymysql.connect MySQLdb.connect mysql.connector.connect oracledb.connect pyodbc.connect
    snowflake.connector.connect litellm.completion litellm.embedding
    httpx.get httpx.post httpx.put httpx.patch httpx.delete httpx.head httpx.options httpx.request httpx.stream
    requests.get requests.post requests.put requests.patch requests.delete requests.head requests.options requests.request
    subprocess.run subprocess.call subprocess.check_call subprocess.check_output subprocess.getoutput subprocess.getstatusoutput
    shutil.copytree shutil.rmtree shutil.make_archive
    """
)
_BLOCKING_CLIENTS: Final = table(
    """
    requests.Session requests.session httpx.Client openai.OpenAI anthropic.Anthropic boto3.client redis.Redis redis.from_url
    slack_sdk.WebClient twilio.rest.Client urllib3.PoolManager smtplib.SMTP smtplib.SMTP_SSL
    """
)
