"""The endpoints of the Hugging Face hub that a push asks, on this machine: repositories, LFS, commits and tags."""

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

LARGE = (".parquet", ".tar", ".npz", ".png")
EMPTY = {".gitattributes": b"*.parquet filter=lfs diff=lfs merge=lfs -text\n"}


@dataclass
class Repository:
    """A dataset: its commits in their order, each with all files, and its tags."""

    private: bool
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        self.commit(EMPTY, "initial commit")

    def commit(self, files, summary):
        oid = hashlib.sha1(f"{len(self.commits)} {summary}".encode()).hexdigest()
        self.commits[oid] = dict(files)
        return oid

    @property
    def head(self):
        return list(self.commits)[-1]

    def files(self, revision="main"):
        return self.commits[self.head if revision == "main" else self.tags.get(revision, revision)]


class RefusalError(Exception):
    """A status and what the hub says of it."""

    def __init__(self, status, said="", **facts):
        super().__init__(said)
        self.status, self.facts = status, facts


class Hub:
    """A hub that knows one token, which may write to one owner.

    Attributes:
        repositories: by OWNER/NAME.
        stored: what was uploaded, by its sha256.
        requests: method, path and body of each that came.
        tokens: all that were sent.
        refuse: maps a pattern of a path's end to a status and a text, which are answered once.
    """

    def __init__(self, token="hf_" + "secret" * 4, owner="anna"):
        self.token, self.owner = token, owner
        self.repositories: dict[str, Repository] = {}
        self.stored: dict[str, bytes] = {}
        self.requests: list[tuple[str, str, bytes]] = []
        self.tokens: set[str] = set()
        self.refuse: dict[str, tuple[int, str]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def asked(self, end):
        """Return the bodies of requests whose path ends so."""
        return [body for _, path, body in self.requests if re.search(f"{end}$", path)]

    def answer(self, method, path, query, body, token):
        for end, refusal in list(self.refuse.items()):
            if re.search(f"{end}$", path):
                del self.refuse[end]
                raise RefusalError(*refusal)
        if path.startswith("/lfs/"):  # signed addresses, which need no token
            return self._store(method, path.rsplit("/", 1)[-1], body)
        if token != self.token:
            raise RefusalError(401, "Invalid credentials in Authorization header")
        if path == "/api/validate-yaml":
            return self._validate(json.loads(body)["content"])
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if found := re.fullmatch(r"/datasets/([\w.-]+/[\w.-]+)\.git/info/lfs/objects/batch", path):
            return self._batch(self._repository(found[1]), json.loads(body))
        if not (found := re.fullmatch(r"/api/datasets/([\w.-]+/[\w.-]+)(?:/([a-z-]+)(?:/([^/]+))?)?", path)):
            raise RefusalError(404, f"no such endpoint: {method} {path}")
        repository, what, revision = self._repository(found[1]), found[2], unquote(found[3] or "main")
        if what in (None, "revision"):
            names = [{"rfilename": name} for name in repository.files()]
            return {"id": found[1], "sha": repository.head, "private": repository.private, "siblings": names}
        if what == "refs":
            tags = [{"name": k, "ref": f"refs/tags/{k}", "targetCommit": v} for k, v in repository.tags.items()]
            return {"branches": [], "converts": [], "tags": tags, "pullRequests": []}
        if what == "paths-info":
            return self._paths(repository.files(revision), parse_qs(body.decode())["paths"])
        if found[1].split("/")[0] != self.owner:
            raise RefusalError(403, "you have no write access")
        if what == "preupload":
            return {"files": [self._mode(repository, each) for each in json.loads(body)["files"]]}
        if what == "commit":
            return self._commit(found[1], repository, [json.loads(line) for line in body.splitlines()])
        if what == "tag":
            tag = json.loads(body)["tag"]
            if tag in repository.tags:
                raise RefusalError(409, "the tag exists")
            repository.files(revision)
            repository.tags[tag] = revision
            return {}
        raise RefusalError(404, f"no such endpoint: {method} {path}")

    def _repository(self, name):
        if name not in self.repositories:
            raise RefusalError(404, "Repository not found")
        return self.repositories[name]

    def _create(self, wanted):
        name = f"{wanted['organization']}/{wanted['name']}"
        if name in self.repositories:
            raise RefusalError(409, "You already created this dataset repo", url=f"{self.address}/datasets/{name}")
        if wanted["organization"] != self.owner:
            raise RefusalError(403, "you may not create a repository under that name")
        assert wanted["type"] == "dataset"
        private = wanted.get("visibility") == "private" or wanted.get("private") is True
        self.repositories[name] = Repository(private)
        return {"url": f"{self.address}/datasets/{name}"}

    def _validate(self, content):
        front = yaml.safe_load(content.split("---")[1])
        return (
            {"errors": [], "warnings": []} if front.get("tags") else {"errors": [], "warnings": [{"message": "empty"}]}
        )

    def _mode(self, repository, file):
        there = repository.files().get(file["path"])
        large = file["path"].endswith(LARGE)
        oid = None if there is None else hashlib.sha256(there).hexdigest() if large else git_oid(there)
        mode = "lfs" if large else "regular"
        return {"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid}

    def _batch(self, repository, wanted):
        objects = []
        for each in wanted["objects"]:
            found = {"oid": each["oid"], "size": each["size"]}
            if each["oid"] not in self.stored:
                found["actions"] = {"upload": {"href": f"{self.address}/lfs/{each['oid']}"}}
            objects.append(found)
        return {"transfer": "basic", "objects": objects}

    def _store(self, method, oid, body):
        if method != "PUT" or hashlib.sha256(body).hexdigest() != oid:
            raise RefusalError(400, "other bytes than announced")
        self.stored[oid] = body
        return {}

    def _paths(self, files, wanted):
        found = []
        for path in (each for each in wanted if each in files):
            facts = {"type": "file", "path": path, "size": len(files[path]), "oid": git_oid(files[path])}
            if path.endswith(LARGE):
                sha = hashlib.sha256(files[path]).hexdigest()
                facts["lfs"] = {"size": len(files[path]), "oid": sha, "pointerSize": 130}
            found.append(facts)
        return found

    def _commit(self, name, repository, lines):
        header, files = lines[0]["value"], dict(repository.files())
        if header.get("parentCommit") not in (None, repository.head):
            raise RefusalError(412, "A commit has happened since. Please refresh and try again.")
        for line in lines[1:]:
            kind, value = line["key"], line["value"]
            if kind == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif kind == "lfsFile":
                files[value["path"]] = self.stored[value["oid"]]
            else:
                assert kind == "deletedFile"
                del files[value["path"]]
        oid = repository.commit(files, header["summary"])
        return {"commitUrl": f"{self.address}/datasets/{name}/commit/{oid}", "commitOid": oid, "pullRequestUrl": None}

    def _handler(hub):  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                address = urlsplit(self.path)
                hub.requests.append((self.command, address.path, body))
                token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
                hub.tokens.add(token)
                status, headers = 200, {}
                try:
                    answer = hub.answer(self.command, address.path, address.query, body, token)
                except RefusalError as refusal:
                    status, answer = refusal.status, {"error": str(refusal), **refusal.facts}
                    if refusal.status == 404 and "Repository" in str(refusal):
                        headers["X-Error-Code"] = "RepoNotFound"
                content = json.dumps(answer).encode()
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = _any  # noqa: N815

            def log_message(self, *_):
                """Say nothing."""

        return Handler


def git_oid(content):
    """Return git's name of a file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
