"""Which user agents are no person's browser: crawlers, link scanners, monitors, HTTP libraries.

One rule for all connectors, as DuckDB SQL over the text of a user agent. An event of a bot keeps its
type, gets the outcome ``bot`` and the property ``bot``, and does not count as engagement.

A bot that wants to be taken for a browser cannot be told by its user agent, and is none here: the rule
finds those that say what they are. It is made of words rather than of names, so that a crawler of
tomorrow, which calls itself ``ExampleBot/1.0`` or leaves the address of its page, is found, too. The words
were chosen for, and tried on, the user agents that the projects monperrus/crawler-user-agents and
omrilotan/isbot collect: those of crawlers, and those of browsers that must not be taken for one. What
became of them is in docs/reference/connectors.md.

Not here: mail clients and proxies that fetch an image for a person (Apple's, Gmail's, Yahoo's). Whether
such an open is a person's is for each mail connector to say, by the outcome ``machine``. Nor the HTTP
libraries inside apps that people use (okhttp, CFNetwork, Dalvik).
"""

from __future__ import annotations

from typing import Final

from cdp.duck import quote

BOT: Final = "bot"
"""The outcome of an event that a bot caused."""

# "bot" anywhere (Googlebot, bingbot, Slackbot-LinkExpanding), but in the telephones of Cubot and in fuboTV.
_CALLED_BOT: Final = r"(^|[^u]|(^|[^cf])u)bot"

# Words that stand anywhere.
_WORDS: Final = (
    # crawlers, and the addresses that they leave
    "crawl", "spider", "slurp", "scrap[eiy]", "archiver", "indexer", "heritrix", "nutch", "httrack", "harvest",
    "https?:", r"[^a-z]www\.", r"[a-z0-9]@[a-z][a-z0-9-]*\.[a-z]", "search(engine| engine)",
    # browsers without a person
    "headless", "phantomjs", "puppeteer", "playwright", "selenium", "webdriver", "lighthouse", "pagespeed",
    "prerender", "ptst/", "synthetic", "wappalyzer",
    # previews of links
    "preview", "facebookexternalhit", "facebookcatalog", "meta-external", "vkshare", "embedly", "iframely",
    "flipboardproxy", "-google", "google-", "googleother", "google favicon", "mediapartners",
    # feeds
    "fetcher", "feed ?(burner|parser|ly)", "(^|[^a-z0-9])rss([^0-9]|$)",
    # scanners of links and of mail
    "link ?(check|expand|find|dex)", "checklink", "checker", "validator", "(^|[^m])scanner", "urlscan", "virustotal",
    "proofpoint", "barracuda", "mimecast", "symantec", "safelinks", "urldefense", "zgrab", "nuclei", "sqlmap", "nmap",
    "nikto",
    # monitoring
    "monitor", "pingdom", "uptime", "statuscake", "nagios", "zabbix", "site24x7", "health ?check", "probe",
    "catchpoint", "gtmetrix", "analy[sz]er", "audit", "ahrefs", "semrush", "cloudflare-", "amazon cloudfront",
    # others: assistants that fetch for a person, servers that call servers
    "chatgpt-user", "perplexity-user", "claude-user", "duckassist", "webhook",
)  # fmt: skip

# What the user agent of an HTTP library or of a tool begins with; those of browsers begin with Mozilla.
_TOOLS: Final = (
    "aiohttp", "apache-httpclient", "axios", "curl", "embed", "faraday", "go-http-client", "got", "guzzlehttp",
    "http[_-]?client", "http_get", "http_request", "httpie", "httpunit", "httpx", r"http\.rb", "insomnia", "jakarta",
    "java", "jetty", "libcurl", "libwww-perl", "lua-resty-http", "lwp", "mechanize", "needle", "nessus",
    "node", "node-fetch", "node-superagent", "pecl::http", "perl", "php", "postman", "postmanruntime", "powershell",
    "pycurl", "python", "reqwest", "rest-client", "restsharp", "ruby", "superagent", "symfony", "typhoeus", "undici",
    "urllib", "wget", "whatsapp", "winhttp", "wordpress",
)  # fmt: skip

_PATTERN: Final = rf"{_CALLED_BOT}|{'|'.join(_WORDS)}|^({'|'.join(_TOOLS)})([^a-z]|$)"


# Most people's browsers: the shape of their user agent, the most frequent first. They are spared the pattern,
# which costs ten times as much. What stands for a version (%) may have five characters, too few for a word.
_CHROME: Final = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%.0.0.0"
_SAFARI: Final = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/%"
_BROWSERS: Final = (
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 10; K) {_CHROME} Mobile Safari/537.36",
    f"Mozilla/5.0 (iPhone; CPU iPhone OS % like Mac OS X) {_SAFARI} Mobile/15E148 Safari/604.1",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_CHROME} Safari/537.36",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_SAFARI} Safari/605.1.15",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Safari/537.36 Edg/%.0.0.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:%.0) Gecko/20100101 Firefox/%.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:%.0) Gecko/20100101 Firefox/%.0",
    f"Mozilla/5.0 (X11; Linux x86_64) {_CHROME} Safari/537.36",
)
_LONGEST_VERSION: Final = 5


def is_bot(user_agent: str) -> str:
    """Return SQL that is true where the text ``user_agent`` (SQL) is of a bot, NULL where there is none.

    >>> import duckdb
    >>> duckdb.sql("SELECT " + is_bot("'Mozilla/5.0 (compatible; Googlebot/2.1)'")).fetchall()
    [(True,)]
    """
    browsers = " ".join(
        f"WHEN {user_agent} LIKE {quote(shape)} AND strlen({user_agent}) <= {_longest(shape)} THEN false"
        for shape in _BROWSERS
    )
    return f"CASE {browsers} ELSE regexp_matches({user_agent}, {quote(_PATTERN)}, 'i') END"


def _longest(shape: str) -> int:
    return len(shape) + (_LONGEST_VERSION - 1) * shape.count("%")


def bot_outcome(user_agent: str, outcome: str = "NULL") -> str:
    """Return SQL of the outcome of an event: ``bot``, else what ``outcome`` (SQL) says."""
    return f"CASE WHEN {is_bot(user_agent)} THEN {quote(BOT)} ELSE {outcome} END"


def flagged(user_agent: str, properties: str) -> str:
    """Return SQL of properties (JSON text, or NULL), with ``bot: true`` where the user agent is of one.

    Properties that are no JSON object stay as they are.
    """
    given = f"coalesce({properties}, '{{}}')"
    # As text, or all other properties would be read as JSON, too.
    marked = f"json_merge_patch({given}, '{{\"bot\":true}}')::VARCHAR"
    is_object = f"CASE WHEN starts_with({given}, '{{') THEN json_valid({given}) END"
    of_bot = f"CASE WHEN {is_object} THEN {marked} ELSE {properties} END"
    return f"CASE WHEN {is_bot(user_agent)} THEN {of_bot} ELSE {properties} END"
