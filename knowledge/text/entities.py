"""Finds the things that a text names explicitly: alerts, metrics, Kubernetes objects, hosts, paths, identifiers, commands.

Rules only: an entity is what its form says it is. The forms are those of the Prometheus naming guide (metrics), of Kubernetes'
kinds and `kind/name` references, and of common shells.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from knowledge.text.identifiers import humps

Match = re.Match[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A thing named in a text: its kind (`alert`, `metric`, `kubernetes_kind`, `kubernetes_object`, `host`, `path`,
    `identifier`, `command`) and its name as written.
    """

    kind: str
    name: str


KINDS = frozenset(
    "Pod Deployment StatefulSet DaemonSet ReplicaSet Job CronJob Service Ingress ConfigMap Secret Namespace Node "
    "PersistentVolume PersistentVolumeClaim StorageClass ServiceAccount Role RoleBinding ClusterRole ClusterRoleBinding "
    "HorizontalPodAutoscaler PodDisruptionBudget NetworkPolicy CustomResourceDefinition EndpointSlice ResourceQuota "
    "LimitRange PriorityClass PrometheusRule ServiceMonitor PodMonitor Alertmanager Prometheus ClusterOperator "
    "MachineConfig".split()
)
_SHORT = {
    "po": "Pod", "pod": "Pod", "pods": "Pod", "deploy": "Deployment", "deployment": "Deployment", "deployments": "Deployment",
    "sts": "StatefulSet", "statefulset": "StatefulSet", "ds": "DaemonSet", "daemonset": "DaemonSet", "svc": "Service",
    "service": "Service", "cm": "ConfigMap", "configmap": "ConfigMap", "secret": "Secret", "ns": "Namespace",
    "namespace": "Namespace", "node": "Node", "nodes": "Node", "pv": "PersistentVolume", "pvc": "PersistentVolumeClaim",
    "job": "Job", "cronjob": "CronJob", "ing": "Ingress", "ingress": "Ingress", "hpa": "HorizontalPodAutoscaler",
    "pdb": "PodDisruptionBudget", "sa": "ServiceAccount", "clusteroperator": "ClusterOperator",
}  # fmt: skip
COMMANDS = (
    "kubectl oc helm docker podman crictl ctr nerdctl systemctl journalctl etcdctl curl wget dig nslookup ping traceroute "
    "ip ss netstat iptables tcpdump df du lsblk mount fsck mdadm smartctl top htop ps free vmstat iostat sar dmesg strace "
    "lsof kill ssh scp rsync git terraform ansible ansible-playbook psql mysql redis-cli mongosh openssl promtool amtool "
    "logcli jq yq aws gcloud az npm pip make ceph rados rbd virtctl chronyc ntpq timedatectl nginx apachectl sysctl ulimit"
).split()
SPECIFIC = frozenset({"alert", "metric", "kubernetes_object", "host", "path", "identifier"})
"""Kinds whose names point at something; a Kubernetes kind or a command is named everywhere."""
REMEMBERED = 16_384
"""Words whose entities are remembered: most words of a text were seen before, and nearly all of them name nothing."""
LONGEST = 64
"""Longer words are rarely seen twice."""
_MARKED = re.compile(
    r"`([^`\n]+)`"  # marked as code by the asker
    r"|(?<!\w)(--?[a-z][\w-]+)"  # an option
    r"|\b([A-Z]{2,}[A-Z0-9]*-?\d+)\b"  # an error code
    r"|\b([A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\.[A-Za-z][\w.-]*|\w+_\w+)\b"  # anything with a dot or an underscore
)
MOST = 200
"""Entities of one text that are kept, in the order of their appearance."""

# (?a): Chinese characters are not letters of a name that they touch
_CAMEL = re.compile(
    r"(?a)(?<![\w/.-])(?:[a-z]{2,12}|[A-Z][a-z0-9]+|[A-Z]{2,6})(?:[A-Z]{2,6}(?![a-z])|[A-Z][a-z0-9]+){1,9}(?![\w/]|\.\w)"
)
_SNAKE = re.compile(r"(?a)(?<![\w/.-])[a-z][a-z0-9]*(?::?_[a-z0-9]+)+(?:[:_][a-z0-9]+)*(?![\w/-])")
_OBJECT = re.compile(r"(?a)(?<![\w/.-])([a-z]{2,16})/([a-z0-9](?:[a-z0-9.-]{1,60}[a-z0-9]))(?![\w/])")
_HOST = re.compile(
    r"(?a)(?<![\w@/.-])(?:[a-z0-9](?:[a-z0-9-]{0,40}[a-z0-9])?\.){1,6}"
    r"(?:com|net|org|io|dev|cn|local|internal|lan|svc|example|cloud|gov|edu|app)(?![\w-])",
    re.I,
)
_ADDRESS = re.compile(r"(?a)(?<![\w.-])(?:\d{1,3}\.){3}\d{1,3}(?![\w.-])")
_PATH = re.compile(
    r"(?a)(?<![\w:/.>])(?:~|\.{1,2})?(?:/[\w.@+-]{1,60}){2,12}/?|(?<![\w/.-])(?:[\w-]{1,40}/){0,6}[\w.-]{1,60}\.(?:ya?ml|toml|conf|cfg|ini|json|service|sh|py|go|log|env|tf|crt|pem|key)(?![\w/])"
)
_DOTTED = re.compile(r"(?a)(?<![\w/.-])[a-z_]\w+(?:\.[A-Za-z_]\w+)+(?=\()|(?<![\w/.-])[A-Za-z_]\w{2,}(?=\(\))")
_CAPITAL = re.compile(r"(?a)(?<![\w/.-])[A-Z][a-z]+(?![\w/])")
_SPACELESS = re.compile(r"\S+")
_COMMAND = re.compile(rf"(?:(?<=`)|(?<=\$ )|^[ \t]*(?:sudo )?)({'|'.join(map(re.escape, COMMANDS))})(?=[ `\n]|$)", re.M)
_NAME = r"[a-z0-9](?:[a-z0-9.-]{0,60}[a-z0-9])?(?![\w/<{$])"
_ADDRESSED = re.compile(
    rf"(?a)\b(?:kubectl|oc) (?:[^\n|;&`]{{0,80}}? )?"
    rf"(?:get|describe|delete|edit|scale|patch|label|annotate|expose|restart|status|undo)"
    rf" +(?P<kind>{'|'.join(map(re.escape, _SHORT))})s? +(?P<name>{_NAME})"
)
_NAMESPACE = re.compile(rf"(?a)\b(?:kubectl|oc|helm) (?:[^\n|;&`]{{0,160}}? )?(?:-n|--namespace)[ =](?P<name>{_NAME})")
_MANIFEST = re.compile(
    rf"(?a)^kind:[ \t]*[\"']?(?P<kind>[A-Z][A-Za-z]{{1,60}})[\"']?[ \t]*\n(?:(?!---|kind:).*\n){{0,20}}?metadata:[ \t]*\n"
    rf"(?:[ \t]+.*\n){{0,60}}?[ ]{{1,4}}name:[ \t]*[\"']?(?P<name>{_NAME})",
    re.M,
)
_ALERT_HUMPS = 3
_ALERT_HEADS = (
    "Kube",
    "Node",
    "Prometheus",
    "Alertmanager",
    "etcd",
    "Etcd",
    "Target",
    "Cluster",
    "Ceph",
    "Virt",
    "Api",
    "API",
    "CPU",
)
_METRIC_TAILS = (
    "_total",
    "_seconds",
    "_bytes",
    "_count",
    "_sum",
    "_bucket",
    "_ratio",
    "_info",
    "_percent",
    "_size",
    "_created",
)
_METRIC_HEADS = (
    "node_", "kube_", "container_", "http_", "go_", "process_", "etcd_", "prometheus_", "alertmanager_", "apiserver_", "kubelet_",
    "up", "machine_", "grpc_", "rest_client_", "workqueue_", "scheduler_", "coredns_", "kubevirt_", "ceph_", "cluster:", "job:",
)  # fmt: skip


def entities_in(text: str) -> list[Entity]:
    """The distinct entities of a text, in the order in which they first appear; at most `MOST`.

    Where two rules find the same name, the first one says what it is.
    """
    first: dict[str, int] = {}
    by_rule: dict[str, tuple[int, int, Entity]] = {}
    for position, rule, entity in _found(text):
        name = entity.name.lower()
        first[name] = min(position, first.get(name, position))
        if name not in by_rule or (rule, position) < by_rule[name][:2]:
            by_rule[name] = (rule, position, entity)
    return [by_rule[name][2] for name in sorted(first, key=first.__getitem__)][:MOST]


def identifiers(text: str) -> list[str]:
    """The names in a question that only machines use: what an entity names that points at something, what stands between
    backticks, options, error codes, and whatever has a dot or an underscore in it.
    """
    named = [entity.name for entity in entities_in(text) if entity.kind in SPECIFIC]
    marked = [match[match.lastindex or 0] for match in _MARKED.finditer(text)]
    return [name for name in dict.fromkeys([*named, *marked]) if len(name) > 2]


def _found(text: str) -> Iterator[tuple[int, int, Entity]]:
    """(position, rule, entity) of every find. Only commands and the objects that commands and manifests name are known by
    what stands around their word.
    """
    for match in _SPACELESS.finditer(text):
        word = match.group()
        finds = _remembered(word) if len(word) <= LONGEST else _in_word(word)
        for position, rule, entity in finds:
            yield match.start() + position, rule, entity
    for match in _COMMAND.finditer(text):
        yield match.start(), len(RULES), Entity(kind="command", name=match[1])
    for match in _ADDRESSED.finditer(text):
        yield match.start("name"), 0, Entity(kind="kubernetes_object", name=f"{_SHORT[match['kind']]}/{match['name']}")
    for match in _NAMESPACE.finditer(text):
        yield match.start("name"), 0, Entity(kind="kubernetes_object", name=f"Namespace/{match['name']}")
    for match in _MANIFEST.finditer(text):
        yield match.start("name"), 0, Entity(kind="kubernetes_object", name=f"{match['kind']}/{match['name']}")


def _in_word(word: str) -> tuple[tuple[int, int, Entity], ...]:
    return tuple(
        (match.start(), number, entity)
        for number, (pattern, kind) in enumerate(RULES)
        for match in pattern.finditer(word)
        if (entity := _entity(kind, match)) is not None
    )


_remembered = lru_cache(REMEMBERED)(_in_word)


def _entity(kind: str, match: Match) -> Entity | None:
    """What a find of a rule is; None where only its form is that of one."""
    name = match.group()
    match kind:
        case "path":
            return Entity(kind=kind, name=name.rstrip("/."))
        case "kubernetes_object":
            return Entity(kind=kind, name=f"{_SHORT[match[1]]}/{match[2]}") if match[1] in _SHORT else None
        case "host":
            return Entity(kind=kind, name=name.lower())
        case "address":
            return Entity(kind="host", name=name) if all(int(part) < 256 for part in name.split(".")) else None
        case "camel":
            return None if name.isupper() else Entity(kind=_camel_kind(name), name=name)
        case "snake":
            metric = name.endswith(_METRIC_TAILS) or name.startswith(_METRIC_HEADS)
            return Entity(kind="metric" if metric else "identifier", name=name)
        case "kubernetes_kind":
            return Entity(kind=kind, name=name) if name in KINDS else None
    return Entity(kind=kind, name=name)


RULES = (
    (_PATH, "path"), (_OBJECT, "kubernetes_object"), (_HOST, "host"), (_ADDRESS, "address"), (_CAMEL, "camel"),
    (_SNAKE, "snake"), (_DOTTED, "identifier"), (_CAPITAL, "kubernetes_kind"),
)  # fmt: skip
"""None of them reaches over white space, so that each word is looked at by itself, and what it gave is remembered."""


def _camel_kind(name: str) -> str:
    if name in KINDS:
        return "kubernetes_kind"
    count, headed = len(humps(name)), name.startswith(_ALERT_HEADS)
    alert = (count >= _ALERT_HUMPS and (headed or name[0].isupper())) or (count == 2 and headed)
    return "alert" if alert else "identifier"
