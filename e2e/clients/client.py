"""What programs with the official Python client do, against a running cluster: `client.py POD`.

POD is a running pod of the example image. The first thing that does not hold ends the program with a traceback.
"""

import os
import socket
import sys
import threading
import time

from kubernetes import client, config, dynamic, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import portforward, stream

NS = "default"
SECONDS = 30


def refused(code, call, *args, **kwargs):
    """The call fails with this status code; its Status."""
    try:
        call(*args, **kwargs)
    except ApiException as error:
        assert error.status == code, f"{error.status} instead of {code}: {error.body}"
        return error
    raise AssertionError(f"{call.__name__} was not refused")


def eventually(what, look):
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if look():
            return
        time.sleep(0.1)
    raise AssertionError(f"not within {SECONDS}s: {what}")


def absent(call, *args):
    def look():
        try:
            call(*args)
        except ApiException as error:
            assert error.status == 404, error
            return True
        return False

    return look


def objects(core):
    """Create, get, list by page and selector, watch, replace with a conflict, delete."""
    for number in range(5):
        made = client.V1ConfigMap(
            metadata=client.V1ObjectMeta(name=f"py-{number}", labels={"set": "py", "odd": str(number % 2)}),
            data={"number": str(number)},
        )
        created = core.create_namespaced_config_map(NS, made)
        assert created.metadata.uid and created.metadata.creation_timestamp.tzinfo is not None
    refused(409, core.create_namespaced_config_map, NS, made)

    page = core.list_namespaced_config_map(NS, label_selector="set=py", limit=2)
    names = [item.metadata.name for item in page.items]
    while page.metadata._continue:
        page = core.list_namespaced_config_map(NS, label_selector="set=py", limit=2, _continue=page.metadata._continue)
        names += [item.metadata.name for item in page.items]
    assert names == [f"py-{number}" for number in range(5)], names
    odd = core.list_namespaced_config_map(NS, label_selector="set=py,odd in (1)")
    assert [item.metadata.name for item in odd.items] == ["py-1", "py-3"]
    one = core.list_namespaced_config_map(NS, field_selector="metadata.name=py-2")
    assert [item.metadata.name for item in one.items] == ["py-2"]

    start = core.list_namespaced_config_map(NS, label_selector="set=py").metadata.resource_version
    seen = []
    watcher = watch.Watch()

    def follow():
        calls = dict(label_selector="set=py", resource_version=start, timeout_seconds=SECONDS)
        for event in watcher.stream(core.list_namespaced_config_map, NS, **calls):
            seen.append((event["type"], event["object"].metadata.name))
            if event["type"] == "DELETED" and event["object"].metadata.name == "py-4":
                watcher.stop()

    follower = threading.Thread(target=follow)
    follower.start()
    current = core.read_namespaced_config_map("py-0", NS)
    stale = core.read_namespaced_config_map("py-0", NS)
    current.data["number"] = "zero"
    core.replace_namespaced_config_map("py-0", NS, current)
    refused(409, core.replace_namespaced_config_map, "py-0", NS, stale)
    # Out of the selector, and back: to this watcher that is an end and a beginning.
    for value in ["other", "py"]:
        core.patch_namespaced_config_map("py-1", NS, {"metadata": {"labels": {"set": value}}})
    core.delete_namespaced_config_map("py-4", NS)
    follower.join(SECONDS)
    assert not follower.is_alive()
    expected = [("MODIFIED", "py-0"), ("DELETED", "py-1"), ("ADDED", "py-1"), ("DELETED", "py-4")]
    assert seen == expected, seen

    gone = core.delete_collection_namespaced_config_map(NS, label_selector="set=py")
    assert gone is not None
    assert core.list_namespaced_config_map(NS, label_selector="set=py").items == []
    refused(404, core.read_namespaced_config_map, "py-0", NS)
    invalid = refused(422, core.create_namespaced_config_map, NS, {"metadata": {"name": "Not_A_Name"}})
    assert "metadata.name" in invalid.body


def patches(core, apps):
    """All four kinds of patch, dry runs, and who owns which field."""
    labels = {"app": "py-patched"}
    containers = [client.V1Container(name=name, image="drover.local/web:1") for name in ["a", "b"]]
    template = client.V1PodTemplateSpec(
        metadata=client.V1ObjectMeta(labels=labels), spec=client.V1PodSpec(containers=containers)
    )
    spec = client.V1DeploymentSpec(replicas=0, selector=client.V1LabelSelector(match_labels=labels), template=template)
    apps.create_namespaced_deployment(NS, client.V1Deployment(metadata=client.V1ObjectMeta(name="py"), spec=spec))

    def patch(body, kind, **options):
        return apps.patch_namespaced_deployment("py", NS, body, _content_type=f"application/{kind}", **options)

    def images(deployment):
        return [(it.name, it.image) for it in deployment.spec.template.spec.containers]

    change = {"spec": {"template": {"spec": {"containers": [{"name": "b", "image": "drover.local/web:2"}]}}}}
    merged = patch(change, "strategic-merge-patch+json")
    assert images(merged) == [("a", "drover.local/web:1"), ("b", "drover.local/web:2")], images(merged)
    replaced = patch(change, "merge-patch+json")
    assert images(replaced) == [("b", "drover.local/web:2")], images(replaced)
    listed = patch(
        [
            {"op": "test", "path": "/spec/replicas", "value": 0},
            {"op": "add", "path": "/metadata/annotations", "value": {"by": "json"}},
        ],
        "json-patch+json",
    )
    assert listed.metadata.annotations["by"] == "json"
    refused(422, patch, [{"op": "test", "path": "/spec/replicas", "value": 7}], "json-patch+json")
    dry = patch({"spec": {"replicas": 9}}, "merge-patch+json", dry_run="All")
    assert dry.spec.replicas == 9 and apps.read_namespaced_deployment("py", NS).spec.replicas == 0
    strict = refused(422, patch, {"spec": {"replica": 1}}, "merge-patch+json", field_validation="Strict")
    assert "unknown field" in strict.body
    # The kind of patch that the client takes by itself for a list and for an object.
    apps.patch_namespaced_deployment("py", NS, [{"op": "remove", "path": "/metadata/annotations/by"}])
    scaled = apps.patch_namespaced_deployment_scale("py", NS, {"spec": {"replicas": 0}})
    assert scaled.kind == "Scale" and scaled.status.selector == "app=py-patched"
    apps.delete_namespaced_deployment("py", NS, propagation_policy="Foreground")
    eventually("the deployment is gone", absent(apps.read_namespaced_deployment, "py", NS))

    def apply(manager, data, **options):
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "py-applied"}, "data": data}
        kind = "application/apply-patch+yaml"
        call = core.patch_namespaced_config_map
        return call("py-applied", NS, body, field_manager=manager, _content_type=kind, **options)

    apply("one", {"a": "1", "b": "1"})
    apply("two", {"c": "2"})
    conflict = refused(409, apply, "two", {"b": "2", "c": "2"})
    assert "conflict" in conflict.body and '"one"' in conflict.body.replace("\\", ""), conflict.body
    forced = apply("two", {"b": "2", "c": "2"}, force=True)
    assert forced.data == {"a": "1", "b": "2", "c": "2"}
    left = apply("one", {})
    assert left.data == {"b": "2", "c": "2"}, left.data
    managers = {(entry.manager, entry.operation) for entry in left.metadata.managed_fields}
    assert ("two", "Apply") in managers, managers
    core.delete_namespaced_config_map("py-applied", NS)


def dynamically(api):
    """The dynamic client: discovery, and one object from its beginning to its end."""
    found = dynamic.DynamicClient(api)
    services = found.resources.get(api_version="v1", kind="Service")
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "py-dynamic"},
        "spec": {"selector": {"app": "none"}, "ports": [{"port": 80}]},
    }
    created = services.create(body=body, namespace=NS)
    assert created.spec.clusterIP and created.spec.ports[0].protocol == "TCP"
    again = services.server_side_apply(
        body=body, namespace=NS, name="py-dynamic", field_manager="py", force_conflicts=True
    )
    assert again.metadata.uid == created.metadata.uid
    services.delete(name="py-dynamic", namespace=NS)
    groups = client.ApisApi(api).get_api_versions().groups
    assert {"apps", "batch", "networking.k8s.io"} <= {group.name for group in groups}
    assert client.VersionApi(api).get_code().git_version.startswith("v1.")


def streams(core, pod):
    """Logs, a process and a port, over WebSocket."""
    text = core.read_namespaced_pod_log(pod, NS, tail_lines=1, timestamps=True)
    assert text[:4].isdigit() and "T" in text, text
    lines = watch.Watch().stream(core.read_namespaced_pod_log, pod, NS)
    assert "serves /www on port 8080" in next(iter(lines))

    def execute(command, **options):
        streams = dict(stdin=False, stdout=True, stderr=True, tty=False)
        return stream(core.connect_get_namespaced_pod_exec, pod, NS, command=command, **streams, **options)

    assert execute(["/web", "ls", "/www"]) == "index.html\n"
    failed = execute(["/web", "cat", "/none"], _preload_content=False)
    failed.run_forever(timeout=SECONDS)
    assert (failed.returncode, failed.read_stderr()[:5]) == (1, "web: "), failed.returncode

    for _ in range(2):
        forward = portforward(core.connect_get_namespaced_pod_portforward, pod, NS, ports="8080")
        port = forward.socket(8080)
        port.settimeout(SECONDS)
        port.sendall(b"GET /hostname HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b""
        while more := port.recv(65536):
            answer += more
        assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(pod.encode() + b"\n"), answer
        assert forward.error(8080) is None
    through = core.connect_get_namespaced_pod_proxy_with_path(f"{pod}:8080", NS, "hostname")
    assert through.strip() == pod, through


def definition(group):
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "required": ["size"],
                "properties": {
                    "size": {"type": "integer", "minimum": 0, "maximum": 9},
                    "mode": {"type": "string", "default": "plain"},
                },
            },
            "status": {"type": "object", "properties": {"made": {"type": "integer"}}},
        },
    }
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }
    names = {"plural": "herds", "singular": "herd", "kind": "Herd", "shortNames": ["hd"]}
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"herds.{group}"},
        "spec": spec,
    }


def operate(core, custom, group, stop):
    """An operator's loop: a ConfigMap for each unit of a herd's size, a status that says so, a clean-up at the end."""
    finalizer = f"{group}/cleanup"
    version = "0"
    while not stop.is_set():
        watcher = watch.Watch()
        place = (group, "v1", NS, "herds")
        for event in watcher.stream(
            custom.list_namespaced_custom_object, *place, resource_version=version, timeout_seconds=2
        ):
            herd = event["object"]
            version = herd["metadata"]["resourceVersion"]
            if event["type"] not in ("ADDED", "MODIFIED"):
                continue
            meta, name = herd["metadata"], herd["metadata"]["name"]
            if meta.get("deletionTimestamp"):
                if finalizer in meta.get("finalizers", []):
                    kept = [one for one in meta["finalizers"] if one != finalizer]
                    body = {"metadata": {"finalizers": kept, "resourceVersion": version}}
                    custom.patch_namespaced_custom_object(*place, name, body, _content_type="application/merge-patch+json")
                continue
            if finalizer not in meta.get("finalizers", []):
                body = {"metadata": {"finalizers": [finalizer]}}
                custom.patch_namespaced_custom_object(*place, name, body, _content_type="application/merge-patch+json")
                continue
            owner = client.V1OwnerReference(
                api_version=f"{group}/v1",
                kind="Herd",
                name=name,
                uid=meta["uid"],
                controller=True,
                block_owner_deletion=True,
            )
            for number in range(herd["spec"]["size"]):
                child = client.V1ObjectMeta(
                    name=f"{name}-{number}", labels={"herd": name}, owner_references=[owner]
                )
                try:
                    core.create_namespaced_config_map(NS, client.V1ConfigMap(metadata=child))
                except ApiException as error:
                    assert error.status == 409, error
            if herd.get("status", {}).get("made") != herd["spec"]["size"]:
                body = {"status": {"made": herd["spec"]["size"]}}
                custom.patch_namespaced_custom_object_status(
                    *place, name, body, _content_type="application/merge-patch+json"
                )


def operator(api, core):
    group = "py.example.com"
    extensions, custom = client.ApiextensionsV1Api(api), client.CustomObjectsApi(api)
    name = f"herds.{group}"
    extensions.create_custom_resource_definition(definition(group))
    watcher = watch.Watch()
    for event in watcher.stream(
        extensions.list_custom_resource_definition, field_selector=f"metadata.name={name}", timeout_seconds=SECONDS
    ):
        conditions = event["object"].status.conditions or []
        if any(one.type == "Established" and one.status == "True" for one in conditions):
            watcher.stop()
    place = (group, "v1", NS, "herds")
    stop, failures = threading.Event(), []

    def run():
        try:
            operate(core, custom, group, stop)
        except Exception as error:  # noqa: BLE001 - told to the main thread
            failures.append(error)

    worker = threading.Thread(target=run)
    worker.start()
    try:
        herd = {"apiVersion": f"{group}/v1", "kind": "Herd", "metadata": {"name": "sheep"}, "spec": {"size": 3}}
        created = custom.create_namespaced_custom_object(*place, herd)
        assert created["spec"]["mode"] == "plain", "defaults of the schema"
        refused(422, custom.create_namespaced_custom_object, *place, {**herd, "metadata": {"name": "x"}, "spec": {"size": 10}})

        def status():
            assert not failures, failures
            seen = custom.get_namespaced_custom_object(*place, "sheep")
            return seen.get("status", {}).get("made") == 3 and seen["metadata"]["generation"] == 1

        eventually("the operator has done its work", status)
        children = core.list_namespaced_config_map(NS, label_selector="herd=sheep").items
        assert len(children) == 3
        custom.delete_namespaced_custom_object(*place, "sheep")
        eventually("the finalizer is taken off", absent(custom.get_namespaced_custom_object, *place, "sheep"))
        children = lambda: core.list_namespaced_config_map(NS, label_selector="herd=sheep").items  # noqa: E731
        eventually("the children are collected", lambda: not children())
    finally:
        stop.set()
        worker.join(SECONDS)
    assert not failures, failures
    extensions.delete_custom_resource_definition(name)
    eventually("the definition is gone", absent(extensions.read_custom_resource_definition, name))


def main(pod):
    config.load_kube_config(os.environ["KUBECONFIG"])
    socket.setdefaulttimeout(SECONDS)
    api = client.ApiClient()
    core, apps = client.CoreV1Api(api), client.AppsV1Api(api)
    for step in [
        lambda: objects(core),
        lambda: patches(core, apps),
        lambda: dynamically(api),
        lambda: streams(core, pod),
        lambda: operator(api, core),
    ]:
        step()
    print("all of it holds")


main(sys.argv[1])
