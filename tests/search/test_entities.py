"""What a text names is found by its form."""

import pytest

from knowledge.text.entities import entities_in


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("The alert KubePodCrashLooping fires.", "alert", "KubePodCrashLooping"),
        ("告警KubePodCrashLooping触发了", "alert", "KubePodCrashLooping"),
        ("rate(node_cpu_seconds_total[5m])", "metric", "node_cpu_seconds_total"),
        ("Look at /var/log/messages first.", "path", "/var/log/messages"),
        ("It runs on db1.example.com now.", "host", "db1.example.com"),
        ("Ping 10.0.0.17 from here.", "host", "10.0.0.17"),
        ("A StatefulSet keeps its volumes.", "kubernetes_kind", "StatefulSet"),
        ("`kubectl get pods`", "command", "kubectl"),
        ("kubectl delete pod/web-0", "kubernetes_object", "Pod/web-0"),
        ("`kubectl -n shop describe deployments web-front`", "kubernetes_object", "Deployment/web-front"),
        ("oc get pods -n openshift-monitoring", "kubernetes_object", "Namespace/openshift-monitoring"),
        ("helm upgrade web ./web --namespace=shop", "kubernetes_object", "Namespace/shop"),
        (
            "apiVersion: v1\nkind: Service\nmetadata:\n  labels:\n    app: web\n  name: web-front\n",
            "kubernetes_object",
            "Service/web-front",
        ),
        ("Look at lastTransitionTime of it.", "identifier", "lastTransitionTime"),
        ("etcdHighFsyncDurations fires.", "alert", "etcdHighFsyncDurations"),
    ],
)
def test_an_entity_is_found_with_its_kind(text: str, kind: str, name: str) -> None:
    assert (kind, name) in {(entity.kind, entity.name) for entity in entities_in(text)}


@pytest.mark.parametrize(
    "text",
    ["kubectl get pods", "kubectl delete pod <name> -n $NAMESPACE", "oc get nodes --all", "kind: List\nitems: []\n"],
)
def test_a_placeholder_is_no_object(text: str) -> None:
    assert "kubernetes_object" not in {entity.kind for entity in entities_in(text)}


@pytest.mark.parametrize("text", ["", "Plain words, and nothing else.", "磁盘满了怎么办", "999.1.2.3"])
def test_plain_text_names_nothing(text: str) -> None:
    assert entities_in(text) == []


def test_an_entity_is_given_once_in_the_order_of_the_text() -> None:
    names = [entity.name for entity in entities_in("KubeNodeNotReady, KubePodNotReady, then KubeNodeNotReady again")]
    assert names == ["KubeNodeNotReady", "KubePodNotReady"]
