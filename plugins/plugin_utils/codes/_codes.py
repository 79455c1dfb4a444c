# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""Every code that this collection says: how bad it is, who says it, what it means, what mends it. Data.

A code means one thing, whoever says it. docs/problems.md, docs/preflight.md and docs/status.md are made from this
(`./dev generate`).
"""

from __future__ import annotations

import typing as t

from ...module_utils.proof import _finding
from ...module_utils.proof._finding import ERROR, INFO, WARNING, Finding

OWN = ""  # a host has to know how bad this is: see _finding.py
PLAN, PREFLIGHT, STATUS = ("plan",), ("preflight",), ("status",)


class Code(t.NamedTuple):
    """`severity` is the usual one. `why` is what it means: a problem's rule, a finding's consequence, a warning's text.

    Words in braces are filled in for each case: {more} by a remark or nothing. `remark` is for the documents only.
    """

    severity: str
    by: tuple[str, ...]
    why: str
    fix: str = ""
    remark: str = ""


WARNINGS = "Warnings"
# By the documents' sections.
SECTIONS: dict[str, dict[str, Code]] = {
    "The run and its inventory": {
        "intent_differs": Code(
            ERROR, PLAN, "one endpoint has one intent: every balancer has to see the same value as {first}",
            "set {name} once, for the group of balancers; hosts that differ by endpoint go into hosts: of "
            "endpoint_list"),
        "intent_several": Code(
            ERROR, PLAN, "{first} has {expected}: a run has one intent, and whoever comes first must not decide which",
            "write one endpoint_list for all of these hosts, with name, vip, lb_hosts and apiserver_hosts in each "
            "entry; or give each cluster an inventory of its own"),
        "strategy_unsupported": Code(
            ERROR, PLAN, "hosts are changed one after the other, which needs a strategy by which all hosts do a task "
            "before the next one begins",
            "write strategy: linear for the play; ANSIBLE_STRATEGY and ansible.cfg set it, too"),
        "tag_unknown": Code(
            ERROR, PLAN, "nothing in this playbook has this tag, so the run would do something else than was meant",
            "name {few}"),
        "machine_twice": Code(
            ERROR, PLAN, "{first} and {host} are one machine, which calls itself {name}",
            "use one name for a machine, among balancers and API servers alike; or correct how {host} is reached"),
        "template_failed": Code(
            ERROR, PLAN, "the value must be a template that Ansible can evaluate: {reason}", "{fix}"),
        "inventory_empty": Code(
            ERROR, PLAN, "the inventory has no hosts, or can't be read", "name an inventory that exists: -i FILE"),
        "no_host": Code(
            ERROR, PLAN, "none of the endpoint's balancers is among this run's hosts, so nothing would be done; they "
            "are {few}", "leave --limit out, or name one of them"),
        "job_sliced": Code(
            ERROR, PLAN, "is a group, and this run is one slice of a job of AWX, which has a part of each group's "
            "hosts: nothing shows which are missing",
            "run the job without slices, and give each cluster an inventory where there are many; or write the names "
            "of the hosts, and a slice that has all of them runs. A workflow of yours needs another name than the "
            "job's template"),
        "hosts_unnamed": Code(
            ERROR, PLAN, "must name at least one host",
            "write -e {variable}=HOST,HOST with hosts or groups of the inventory"),
        "host_pattern": Code(ERROR, PLAN, "must be a name: {reason}", "write out the names of hosts or groups"),
        "group_empty": Code(ERROR, PLAN, "is a group without hosts", "put hosts into it, or name hosts"),
        "host_not_balancer": Code(
            ERROR, PLAN, "is none of the endpoint's balancers, which are {few}", "name balancers only"),
        "host_outside_limit": Code(
            ERROR, PLAN, "is a host that --limit leaves out of this run",
            "leave --limit out; the named hosts are the only ones that are changed"),
    },
    "A drill": {
        "drill_unconfirmed": Code(
            ERROR, PLAN, "a drill breaks a running endpoint on purpose, so somebody has to want it",
            "write -e endpoint_drill=yes"),
        "drill_partial": Code(
            ERROR, PLAN, "a drill has to see all balancers, and this run leaves out {few}",
            "leave --limit out; -e endpoint_hosts=HOST names those that are broken"),
        "drill_client_balances": Code(
            ERROR, PLAN, "is a balancer: it can't measure its own loss", "name other hosts, or leave the variable out"),
    },
    "Importing what runs": {
        "import_nothing": Code(
            ERROR, PLAN, "none of these hosts has a keepalived or kube-vip that holds a virtual IP",
            "name the hosts that have it: -e endpoint_hosts=HOST,HOST; where nothing runs yet, write endpoint_vip and "
            "run playbook site"),
        "import_no_vip": Code(
            ERROR, PLAN, "it spreads connections on its own host only: there is no virtual IP to go on with",
            "choose one: write endpoint_vip and run playbook site; then tell clients of it, as docs/kubeadm.md says"),
        "import_no_answer": Code(
            ERROR, PLAN, "the host gave no answer, and its part would be missing",
            "make it reachable, or name the hosts that count: -e endpoint_hosts=HOST,HOST"),
        "import_unreadable": Code(
            ERROR, PLAN, "it can't be understood: {reason}",
            "mend the file, or move it away if nothing loads it, and import again"),
        "import_contradiction": Code(
            ERROR, PLAN, "{what} differs between hosts: {first} has {expected}",
            "let the hosts agree, or name those that count: -e endpoint_hosts=HOST,HOST"),
        "import_two_holders": Code(
            ERROR, PLAN, "the virtual IP is on {hosts} at the same time, which no import may carry on",
            "find out why they don't hear each other, and take the address off all but one of them"),
        "import_serves_more": Code(
            ERROR, PLAN, "{meaning}; this collection would not go on with it",
            "give it daemons or hosts of its own first, or do without it: endpoint_accept_findings: "
            "[import_serves_more]"),
        "import_several": Code(
            ERROR, PLAN, "nothing says which virtual IP clients of the API use: {few}",
            "name it: -e endpoint_vip=ADDRESS"),
        "import_vip_unknown": Code(
            ERROR, PLAN, "none of these hosts has that virtual IP in its files; they have {few}",
            "name one of them: -e endpoint_vip=ADDRESS; site can move the endpoint to another one later"),
        "import_ours": Code(
            ERROR, PLAN, "the file is this collection's already",
            "leave that host out; playbook status shows what it does"),
    },
    "Values as written": {
        "value_type": Code(ERROR, PLAN, "must be {expected}; YAML read it as {found}", "write {expected}{more}"),
        "value_empty": Code(ERROR, PLAN, "must not be empty", "write {expected}, or leave {rest}"),
        "value_characters": Code(ERROR, PLAN, "must be {expected}", "use only {allowed}"),
        "number_range": Code(ERROR, PLAN, "must be {expected}", "write {expected}"),
        "choice_unknown": Code(ERROR, PLAN, "must be one of {choices}", "write {fix}"),
        "key_unknown": Code(ERROR, PLAN, "there is no such {kind}", "{fix}"),
        "address_invalid": Code(ERROR, PLAN, "must be one IPv4 or IPv6 address: {reason}", "{fix}"),
        "network_invalid": Code(ERROR, PLAN, "must be a network such as 10.96.0.0/12: {reason}", "{fix}"),
        "dns_name_invalid": Code(
            ERROR, PLAN, "must be a DNS name such as api.example.org: {reason}",
            "write a name of letters, digits and hyphens between dots, or leave it out to use the VIP"),
        "path_invalid": Code(
            ERROR, PLAN, "must be an absolute path without .., of {allowed}", "write a path such as {example}"),
        "log_connections_invalid": Code(
            ERROR, PLAN, "must be none, errors, all, or a share of all connections from 1/2 to 1/999999",
            "write a share such as 1/100"),
        "log_target_invalid": Code(
            ERROR, PLAN, "must be stdout, or the address of a syslog server with its UDP port: a name would have to be "
            "found when HAProxy starts", "write stdout, or an address such as 198.51.100.25:514"),
        "notify_user_root": Code(
            ERROR, PLAN, "must be an unprivileged user: what the script does is nobody's but yours to judge",
            "leave it out, and systemd makes a user for it; or name one that the hosts have"),
        "image_invalid": Code(
            ERROR, PLAN, "must be an image reference: registry/name:tag or registry/name@sha256:digest",
            "write a reference such as {example}"),
        "registry_invalid": Code(
            ERROR, PLAN, "must be a registry, perhaps with a folder: registry.example.org:5000/mirror",
            "write it without https:// and without a slash at its end"),
        "image_auth_invalid": Code(
            ERROR, PLAN, "must be a mapping of username and password, both printable text, the username without a "
            "colon", "write {{username: pull, password: ...}}, best from a vault"),
        "interface_name_invalid": Code(
            ERROR, PLAN, "must be a network interface's name: 1 to 15 of A-Z a-z 0-9 _ . -, but not . or .., and no - "
            "at its beginning", "write the name that `ip link` shows before the @ or the colon{more}"),
        "host_name_unsafe": Code(
            ERROR, PLAN, "host names are written into the daemons' files: 1 to 253 of A-Z a-z 0-9 _ . -, the first a "
            "letter or digit", "rename the host in the inventory, and set ansible_host to how it's reached"),
        "version_invalid": Code(
            ERROR, PLAN, "must be a version such as 2.2.7 or 1:2.3.3-1",
            "write the version that {daemon} -v prints, in quotes"),
    },
    "Several endpoints": {
        "list_empty": Code(
            ERROR, PLAN, "endpoint_list must have at least one endpoint",
            "remove endpoint_list to have one endpoint made of the other variables"),
        "list_and_single": Code(
            ERROR, PLAN, "every endpoint of endpoint_list has its own {key}, so one beside the list belongs to none "
            "of them", "move it into the entry that it's meant for"),
        "name_duplicate": Code(
            ERROR, PLAN, "each endpoint needs a name of its own; {other} has this one already",
            "give one of them another name"),
        "modes_mixed": Code(
            ERROR, PLAN, "{host} balances {other} in mode {mode}; one host runs one HAProxy and one keepalived for "
            "all of its endpoints", "use the same endpoint_mode for endpoints that share a balancer"),
        "manifest_dirs_mixed": Code(
            ERROR, PLAN, "{host} also balances {other}, whose manifests lie in {directory}; a kubelet reads one "
            "folder", "use the same endpoint_manifest_dir for endpoints that share a balancer"),
    },
    "Static pods": {
        "image_unset": Code(
            ERROR, PLAN, "endpoint_mode: static_pod needs an image of {daemon}, and nobody maintains an official one",
            "build one from images/{daemon}/Containerfile of this collection, push or import it, and write its "
            "reference"),
        "image_too_old": Code(
            ERROR, PLAN, "{daemon} {found} is too old; {needed} is the oldest that is supported",
            "write a newer image, or set {daemon}_version if its tag doesn't mean the version"),
        "image_port_privileged": Code(
            ERROR, PLAN, "in its pod HAProxy is user {user} (haproxy_image_user), who may not listen on ports below "
            "1024", "choose port 1024 or above, or set haproxy_image_user: 0"),
        "manifest_dir_taken": Code(
            ERROR, PLAN, "{folder} is this collection's own, and a kubelet would take all files there for manifests",
            "write the kubelet's staticPodPath, such as /etc/kubernetes/manifests"),
    },
    "Hosts": {
        "hosts_missing": Code(
            ERROR, PLAN, "must name at least one host", "name hosts, or put hosts into the group {group}"),
        "host_unknown": Code(ERROR, PLAN, "is neither a host nor a group of the inventory", "{fix}"),
        "host_duplicate": Code(ERROR, PLAN, "each host can be named once", "remove one of them"),
        "host_not_member": Code(ERROR, PLAN, "is neither a balancer nor an API server of this endpoint", "{fix}"),
        "host_data_invalid": Code(
            ERROR, PLAN, "what is known of a host must be a mapping",
            "give a mapping such as {{inventory_address: 198.51.100.11}}"),
    },
    "VIPs": {
        "vip_missing": Code(
            ERROR, PLAN, "an endpoint needs at least one virtual IP",
            "set it to a free address of the balancers' subnet, such as 198.51.100.100"),
        "vip_kind": Code(
            ERROR, PLAN, "{kind} can't be a virtual IP", "choose a free unicast address of the balancers' subnet"),
        "vip_duplicate": Code(
            ERROR, PLAN, "each virtual IP can be used once; {other} has it already",
            "remove one of them, or choose another free address"),
        "vip_is_host_address": Code(
            ERROR, PLAN, "it's {host}'s own address, and a virtual IP moves between hosts",
            "choose an address that no host has"),
        "vip_is_ansible_host": Code(
            ERROR, PLAN, "it's a virtual IP of {endpoint}, which moves between hosts, so this name leads to whoever "
            "holds it",
            "set ansible_host of {host} to its own address, as a dynamic inventory may report a virtual IP that a "
            "host holds; or choose another virtual IP if this is the host's own address"),
        "vip_network_address": Code(
            ERROR, PLAN, "it's {kind} of {subnet}", "choose a free address of {subnet} that isn't reserved"),
        "vip_prefix": Code(ERROR, PLAN, "the balancers' subnet is {subnet}", "write {fix}, or leave the prefix out"),
        "vip_outside_subnet": Code(
            ERROR, PLAN, "must lie in the balancers' subnet; they have {networks}",
            "choose a free address there, or set endpoint_vip_routed: true if routers carry it to the balancers"),
        "former_unusable": Code(
            ERROR, PLAN, "{endpoint} goes on serving its former VIPs and ports, and {reason}",
            "set it to true, which lets them go; kubeconfigs that use them stop working then"),
        "vip_in_cluster_network": Code(
            ERROR, PLAN, "lies in the pods' or services' network {subnet} ({variable})",
            "choose an address outside of it, or correct {variable} if the cluster uses another network"),
        "subnet_unknown": Code(
            ERROR, PLAN, "the prefix of the balancers' subnet isn't known: no facts, and no address with its prefix",
            "write {fix} with the subnet's prefix, or let the hosts be asked"),
    },
    "Members": {
        "address_kind": Code(
            ERROR, PLAN, "{kind} can't be a host's address here",
            "write the host's own unicast address in the VIP's subnet"),
        "address_twice": Code(
            ERROR, PLAN, "can hold one address per family",
            "keep one of each family; hosts: of endpoint_list sets another one for each endpoint"),
        "address_unknown": Code(
            ERROR, PLAN, "no {family} address of {host} is known: none in its variables, no facts, no stored plan",
            "set endpoint_address for {host}, or let the host be asked"),
        "address_ambiguous": Code(
            ERROR, PLAN, "{host} has several {family} addresses and none in the VIP's subnet: {addresses}",
            "set endpoint_address or endpoint_interface for {host}"),
        "address_not_on_host": Code(
            ERROR, PLAN, "{host} doesn't have this address{more}; it has {addresses}",
            "correct it, or remove it and let it be found"),
        "address_is_vip": Code(
            ERROR, PLAN, "it's a virtual IP of {endpoint}, and a host's own address must stay when that moves",
            "write the host's own address in the VIP's subnet"),
        "address_duplicate": Code(
            ERROR, PLAN, "{other} has the same address",
            "give each host its own, and each machine one name in the inventory; a variable of a group reaches all "
            "hosts in it"),
        "prefix_contradicts": Code(
            ERROR, PLAN, "{host} has this address with prefix /{actual}", "write {fix}, or leave the prefix out"),
        "member_left": Code(
            ERROR, PLAN, "{host} still has {endpoint}, and isn't among its balancers any more: once the others have "
            "forgotten it, it would hear nobody and hold the VIP as well",
            "run the playbook remove with -e endpoint_hosts={host} first, or keep it in endpoint_lb_hosts"),
        "member_outside_subnet": Code(
            ERROR, PLAN, "all balancers of an endpoint share one subnet, and the others are in {subnet}",
            "set endpoint_address of {host} to its address in {subnet}, or take the host out of endpoint_lb_hosts"),
        "inventory_outside_subnet": Code(
            ERROR, PLAN, "{host} is reached at this address, which isn't in the balancers' subnet {subnet}, so "
            "another one has to be its own there",
            "set endpoint_address for {host} to its address in {subnet}, or let the host be asked"),
        "interface_unknown": Code(
            ERROR, PLAN, "which interface of {host} holds {address} isn't known: no facts and no stored plan",
            "set endpoint_interface for {host}, or let the host be asked"),
        "interface_ambiguous": Code(
            ERROR, PLAN, "the VIP's subnet is on several interfaces of {host}: {interfaces}",
            "set endpoint_interface for {host} to one of them"),
        "interface_not_on_host": Code(
            ERROR, PLAN, "{host} has no {family} address on this interface; it has some on {interfaces}",
            "correct it, or remove it and let it be found"),
        "backend_address_unknown": Code(
            ERROR, PLAN, "no address of {host} is known under which its API server can be reached",
            "set endpoint_address for {host}, or let the host be asked"),
    },
    "Priorities": {
        "priority_tie": Code(
            ERROR, PLAN, "{host} and {other} have the same priority, and then either could hold the VIP{more}",
            "give each host another priority; {free} is free"),
        "priorities_too_wide": Code(
            ERROR, PLAN, "priorities from {low} to {high} leave no room for the checks: {need}",
            "bring endpoint_priority of all balancers closer together, for example to 150, 149, 148"),
        "too_many_balancers": Code(
            ERROR, PLAN, "at most {limit} balancers can share one endpoint{more}: priorities and checks must fit into "
            "1 to 254", "name at most {limit} hosts in endpoint_lb_hosts; more API servers are no problem"),
    },
    "VRIDs": {
        "vrid_duplicate": Code(
            ERROR, PLAN, "{other} has this virtual router ID in {subnet} already",
            "choose another one; {free} is free"),
        "vrid_family_missing": Code(
            ERROR, PLAN, "names a family that the endpoint has no virtual IP of",
            "remove {family}, or add a virtual IP of it"),
        "vrid_exhausted": Code(
            ERROR, PLAN, "a subnet has 255 virtual router IDs for a family, and {subnet} has more {family} virtual "
            "routers", "move endpoints to another subnet, or give one endpoint several virtual IPs"),
    },
    "Ports and stored plans": {
        "port_taken_by_apiserver": Code(
            ERROR, PLAN, "{host} balances this endpoint, and its API server ({endpoint}) listens on the same port",
            "set {variable} to another port, such as {free}"),
        "port_taken_by_health": Code(
            ERROR, PLAN, "HAProxy's local health listener uses this port (haproxy_health_port)",
            "choose another port here or for haproxy_health_port"),
        "port_taken_by_kubernetes": Code(
            ERROR, PLAN, "{host} runs an API server, and Kubernetes' {service} uses this port there",
            "choose another port, such as {free}"),
        "metrics_address_invalid": Code(
            ERROR, PLAN, "must be a loopback address, or host for each balancer's own one: through a virtual IP or a "
            "wildcard clients would ask whoever holds it, and no other address is on every host",
            "write 127.0.0.1, or host together with endpoint_metrics_allow"),
        "metrics_allow_missing": Code(
            ERROR, PLAN, "with endpoint_metrics_address: host, HAProxy's metrics are for the networks named here and "
            "nobody else", "set endpoint_metrics_allow to the networks of your Prometheus"),
        "metrics_dir_of_pods": Code(
            ERROR, PLAN, "a kubelet takes what is in {folder} for static pods, and our file isn't one",
            "write the folder that node_exporter reads, such as /var/lib/node_exporter"),
        "metrics_port_taken": Code(
            ERROR, PLAN + PREFLIGHT, "{other} has the port of HAProxy's metrics",
            "choose another port for endpoint_metrics_port"),
        "hosts_disagree": Code(
            ERROR, PLAN, "the hosts of {endpoint} have stored different values of its {what}, and none that at least "
            "half of them have and more than any other: {said}",
            "set {variable} to the one that counts, by what clients use and what `ip address` shows on the holder"),
        "bad_stored_plan": Code(
            WARNING, PLAN + STATUS, "the plan stored there can't be read ({reason}); where too few others tell what "
            "{endpoint} has, its port and virtual router ID could change unnoticed, and two hosts hold the VIP",
            "run `site` for this host, which writes it again; where too few others tell, put the file of a member "
            "back that is whole, or set {ports} and {vrid} to what keepalived.conf and haproxy.cfg there have, and "
            "endpoint_accept_findings: [bad_stored_plan]", "a problem of the plan where too few others tell"),
        "newer_stored_plan": Code(
            ERROR, PLAN + STATUS, "the plan stored there was written by a later version of this collection "
            "({reason}), so nobody here knows what {endpoint} runs there",
            "use that version or a later one; or set {ports} and {vrid} to what keepalived.conf and haproxy.cfg there "
            "have, and endpoint_accept_findings: [newer_stored_plan]"),
        "port_would_change": Code(
            ERROR, PLAN, "the port isn't written and would change from {deployed}, which is deployed, to {default}, "
            "which is the default now; clients and certificates know the old one",
            "set {variable} to {deployed} to keep it, or to {default} to change it"),
    },
    "Timing": {
        "source_above_maxconn": Code(
            ERROR, PLAN, "one client may not have more connections than all together, which is {maxconn} "
            "(haproxy_maxconn)", "choose at most half of that, or remove it"),
        "timing_order": Code(
            ERROR, PLAN, "keepalived must be slower than HAProxy to see dead API servers: check_interval x check_fall "
            "is {keepalived} s, and HAProxy can need {haproxy} s",
            "set check_fall to {fall} or more, or make HAProxy's checks quicker"),
        "timing_needs_version": Code(
            ERROR, PLAN, "needs keepalived {needed} or newer on all hosts that share balancers, and {host} has "
            "{found}", "{fix}"),
        "timing_needs_vrrp3": Code(
            ERROR, PLAN, "VRRP version 2, which endpoint_auth: pass needs, counts whole seconds",
            "write whole seconds, or set endpoint_auth: none and remove the password"),
    },
    "Authentication": {
        "auth_password_missing": Code(
            ERROR, PLAN, "endpoint_auth: {auth} needs a password", "set endpoint_auth_password, best from a vault"),
        "auth_password_unused": Code(
            ERROR, PLAN, "there is a password, but endpoint_auth is none, so nothing would be authenticated",
            "set endpoint_auth: pass or hmac, or remove the password"),
        "auth_password_invalid": Code(ERROR, PLAN, "must be {expected}{more}", "{fix}"),
        "auth_key_twice": Code(
            ERROR, PLAN, "has the same key ID as the key at place {other} of the list, so no advert could say which of "
            "them it was signed with", "make another key by `openssl rand -hex 32`, and write hex: before it"),
        "auth_mode_unused": Code(
            ERROR, PLAN, "endpoint_auth is {auth}, so there is nothing to enforce",
            "set endpoint_auth: hmac, or leave endpoint_auth_mode out"),
        "auth_pass_ipv6": Code(
            ERROR, PLAN, "endpoint_auth: pass is VRRP version 2, which knows no IPv6",
            "set endpoint_auth: none and remove the password, or use IPv4 only"),
        "auth_needs_version": Code(
            ERROR, PLAN, "endpoint_auth: hmac needs keepalived {needed} or newer on all hosts that share balancers; "
            "{host} has {found}",
            "set endpoint_auth: none and remove the password, upgrade keepalived, or set keepalived_version if the "
            "hosts have a newer one"),
    },
    "Versions": {
        "version_too_old": Code(
            ERROR, PLAN, "{daemon} {found} is too old; {needed} is the oldest that is supported",
            "upgrade {daemon} on {host}"),
    },
    WARNINGS: {
        "auth_pass_slow": Code(
            WARNING, PLAN, "endpoint_auth: pass is VRRP version 2, which counts whole seconds: adverts go out every "
            "second and a lost host is noticed after 3 to 4 s instead of about {seconds} s"),
        "backend_guessed": Code(
            WARNING, PLAN, "{endpoint} looks for API servers where the inventory reaches their hosts: {hosts}. These "
            "addresses are in no subnet of the balancers, and the hosts haven't confirmed them; set endpoint_address "
            "where it's another one"),
        "balancer_alone": Code(
            WARNING, PLAN, "{host} is the only balancer of {endpoint}, so nothing takes over when it fails"),
        "deployed_unreadable": Code(
            WARNING, PLAN, "the plan stored on {host} can't be read and is ignored: {reason}. What it runs isn't "
            "known, so backups are stopped until the holder has changed"),
        "host_differs": Code(
            WARNING, PLAN, "{hosts} stored {value} as {what} of {endpoint}; {elected} counts, which more hosts have. "
            "See whether something there is old or was changed by hand"),
        "facts_unreadable": Code(
            WARNING, PLAN, "{host} reported networks that can't be read; they are ignored: {reason}"),
        "former_kept": Code(
            WARNING, PLAN, "{endpoint} goes on serving {what}, which {are} not written any more, so that kubeconfigs "
            "can be changed in peace; endpoint_release_former: true lets go"),
        "former_released": Code(
            WARNING, PLAN, "{endpoint} lets {what} go, as endpoint_release_former says: whoever still uses that has "
            "to use {new}"),
        "hmac_untried": Code(
            WARNING, PLAN, "endpoint_auth: hmac is no part of the tests, because no distribution has a keepalived that "
            "can do it. It was tried once, with keepalived 2.4.3 built from its sources"),
        "hmac_not_enforced": Code(
            WARNING, PLAN, "members of {endpoint} take adverts without HMAC as well, as endpoint_auth_mode: {mode} "
            "says; go on with the next step of docs/changing.md when this run has ended well"),
        "image_floating": Code(
            WARNING, PLAN, "image {image} ({variable}) has {what}, so hosts may run different versions of it, and a "
            "restart may change them; write a tag with a version, or best a digest"),
        "member_gone": Code(
            WARNING, PLAN, "{hosts} balanced {endpoint} until now. What was cleaned by the playbook remove is gone; "
            "what couldn't be reached goes on by itself when it's back: run remove with -e endpoint_hosts={names} "
            "then"),
        "metrics_need_version": Code(
            WARNING, PLAN, "HAProxy's metrics are left out, because they need HAProxy {needed} or newer on all hosts "
            "that share balancers, and {host} has {found}. Set haproxy_version if the hosts have a newer one"),
        "port_changes": Code(
            WARNING, PLAN, "the port of {endpoint} changes from {deployed} to {planned}: what knows it, such as "
            "kubeconfigs and kubeadm's controlPlaneEndpoint, has to be changed, too"),
        "version_unknown": Code(
            WARNING, PLAN, "the version of {daemon} isn't known for {hosts}; planned for {floor}, the oldest that is "
            "supported. Set {daemon}_version or let the hosts be asked"),
        "vrid_changes": Code(
            WARNING, PLAN, "the virtual router ID of {instance} changes from {deployed} to {planned}: backups are "
            "stopped until the holder has changed, and nobody could take over meanwhile"),
        "vrid_kept": Code(
            WARNING, PLAN, "{instance} keeps virtual router ID {deployed}, which is deployed, though {derived} would "
            "follow from its VIP; set {variable} to {pin} to make that permanent"),
        "vrid_moved": Code(
            WARNING, PLAN, "{instance} uses virtual router ID {planned}, because {derived} is taken in {subnet} by "
            "{other}; set {variable} to {pin} to pin it"),
    },
    "Interfaces and addresses": {
        "interface_missing": Code(
            ERROR, PREFLIGHT, "keepalived speaks VRRP on this interface and puts the VIP there",
            "set endpoint_interface for {host} to an interface that it has"),
        "interface_down": Code(
            ERROR, PREFLIGHT, "an interface that is down carries neither VRRP nor the VIP",
            "`ip link set {interface} up` there"),
        "interface_no_carrier": Code(
            ERROR, PREFLIGHT, "without a link the instance is in FAULT, and this host can't hold the VIP",
            "see to the cable, the switch port or the virtual network of {interface}"),
        "address_missing": Code(
            ERROR, PREFLIGHT, "VRRP is sent from the member's own address, and the VIP needs its subnet there",
            "set endpoint_address or endpoint_interface for {host} to what it has, or give the address back to "
            "{interface}"),
        "clock_breaks_hmac": Code(
            ERROR, PREFLIGHT, "a member drops adverts with HMAC that are off by more than the time window, by its own "
            "clock: both would hold the VIP",
            "set the clock of {host}, and keep it by NTP (`timedatectl set-ntp true` there, or chrony)",
            "the window is 5 s, or three adverts where that is more, as keepalived chooses it"),
        "clock_differs": Code(
            WARNING, PREFLIGHT, "a member drops adverts with HMAC that are off by more than the time window "
            "(clock_breaks_hmac); new certificates aren't valid yet where the clock is behind, and what happened "
            "first can't be told from logs",
            "set the clock of {host}, and keep it by NTP (`timedatectl set-ntp true` there, or chrony)",
            "with endpoint_auth: hmac from half of the time window on, as keepalived warns; else from 30 s on"),
        "mtu_differs": Code(
            WARNING, PREFLIGHT, "what fits through one holder doesn't fit through another: after a failover large "
            "answers hang", "set the same MTU on all members' interfaces"),
        "members_left_out": Code(
            ERROR, PREFLIGHT, "members that don't agree on it don't hear each other, so a VIP would be on two hosts",
            "run it without --limit and serial, when all of them can be reached; take one that is gone for good out "
            "of endpoint_lb_hosts"),
        "mode_changes_alone": Code(
            ERROR, PREFLIGHT, "the holder would have to let go of the VIP for as long as it's moved, while no other "
            "host may take it", "change endpoint_mode in one run, and the rest in another one"),
        "holders_crossed": Code(
            ERROR, PREFLIGHT, "members that don't agree on it don't hear each other, so all but one are silent until "
            "that one has changed; who is silent can't hold VIPs of its other endpoints either",
            "where several endpoints change, change one of them in a run; else give those that only one of these "
            "hosts balances another balancer before"),
    },
    "Ports and daemons": {
        "port_taken": Code(
            ERROR, PREFLIGHT, "HAProxy can't start while something else has its port",
            "stop {program} there, or set endpoint_port to a free port"),
        "apiserver_on_port": Code(
            ERROR, PREFLIGHT, "an API server has the balancing port on every address of the host, so HAProxy can't "
            "bind it",
            "let clients use another port (endpoint_port: {free}), or let the API server listen on another one "
            "(kubeadm's localAPIEndpoint.bindPort, for example {moved}) and set endpoint_apiserver_port to that"),
        "health_port_taken": Code(
            ERROR, PREFLIGHT, "keepalived asks HAProxy for its health on this port",
            "set haproxy_health_port to a free port, or stop {program} there"),
        "service_masked": Code(
            ERROR, PREFLIGHT, "systemd starts no unit that somebody has masked, so the run would fail half way",
            "run `systemctl unmask {daemon}` there, or leave this host out of the balancers"),
        "port_ephemeral": Code(
            WARNING, PREFLIGHT, "the kernel gives ports of this range to outgoing connections; one of them can keep "
            "HAProxy from starting",
            "choose an endpoint_port outside of the range, or add it to net.ipv4.ip_local_reserved_ports there"),
        "apiserver_port_differs": Code(
            WARNING, PREFLIGHT, "HAProxy will look for an API server where none is",
            "set endpoint_apiserver_port: {port}"),
        "haproxy_foreign": Code(
            ERROR, PREFLIGHT, "somebody else has configured HAProxy there, and this run would replace that",
            "remove it, balance on other hosts (endpoint_lb_hosts), or set endpoint_adopt: true to take it over after "
            "a backup", "a note where endpoint_adopt is set"),
        "keepalived_foreign": Code(
            ERROR, PREFLIGHT, "somebody else has configured keepalived there, and this run would replace that",
            "remove it, balance on other hosts (endpoint_lb_hosts), or set endpoint_adopt: true to take it over after "
            "a backup", "a note where endpoint_adopt is set"),
        "takeover_interrupts": Code(
            ERROR, PREFLIGHT, "a VIP that a pod or a container of somebody else's holds can't be taken over without an "
            "interruption yet: clients have none from when it stops until this run is through",
            "choose a time, stop it on all members (a static pod: move its manifest out of the kubelet's folder), and "
            "run this again", "only where endpoint_adopt is set; a keepalived that is keepalived.service is taken over "
            "without an interruption"),
        "haproxy_files_ignored": Code(
            OWN, PREFLIGHT + STATUS, "this collection's HAProxy loads its own file only, and whoever needs what is in "
            "others is served no longer", "move them away, run a HAProxy of your own for them, or accept this finding",
            "an error where the HAProxy that runs loads such files, unless endpoint_adopt is set"),
        "service_in_the_way": Code(
            ERROR, PREFLIGHT, "the pod and the service fight for the same port, or for VRRP's socket and addresses",
            "`systemctl disable --now {daemon}` there"),
        "mode_changes": Code(
            WARNING, PREFLIGHT, "each host is moved at its turn, the backups first, and who holds the VIP last; the "
            "others serve meanwhile", "set endpoint_mode: {mode} to stay with what is deployed"),
        "keepalived_other": Code(
            WARNING, PREFLIGHT, "two of them on a host fight for VRRP's socket and addresses",
            "stop it, unless its instances have nothing to do with this endpoint"),
        "kube_vip_running": Code(
            WARNING, PREFLIGHT, "two managers of one VIP hold it in two places",
            "remove kube-vip's manifest or daemon set before this endpoint takes its VIP over"),
    },
    "Kubelets and images": {
        "kubelet_missing": Code(
            ERROR, PREFLIGHT, "static pods are started by a kubelet, and there is none",
            "install the kubelet there, balance on hosts that have one (endpoint_lb_hosts), or set endpoint_mode: "
            "service"),
        "manifest_dir_not_read": Code(
            ERROR, PREFLIGHT, "the kubelet starts static pods from the folder in its own configuration, and from no "
            "other one", "set endpoint_manifest_dir: {wanted}"),
        "manifest_dir_unset": Code(
            ERROR, PREFLIGHT, "a kubelet without staticPodPath starts no static pods",
            "set staticPodPath: {wanted} in the kubelet's configuration, and restart it"),
        "image_missing": Code(
            ERROR, PREFLIGHT, "the pull policy is Never, so the kubelet takes the image from nowhere else",
            "import it there (`ctr --namespace k8s.io images import FILE`), or set {variable}_image_pull_policy: "
            "IfNotPresent"),
    },
    "What takes the VIP away": {
        "networkd_drops_vip": Code(
            WARNING, PREFLIGHT, "systemd-networkd removes addresses that it doesn't know: at each `networkctl "
            "reconfigure`, and from systemd 257 on whenever it's restarted, as by an upgrade",
            "set endpoint_manage_network: true, or KeepConfiguration=static in {file}",
            "a note where endpoint_manage_network mends it"),
        "networkmanager_drops_vip": Code(
            INFO, PREFLIGHT, "NetworkManager removes addresses that it doesn't know when somebody activates or "
            "reapplies the connection; keepalived puts the VIP back within about half a second",
            "do so on one balancer at a time, a drained one first; NetworkManager has no setting against it"),
    },
    "What keeps packets away": {
        "firewall_drops_vrrp": Code(
            ERROR, PREFLIGHT, "members that don't hear each other all hold the VIP", "{command}",
            "a note where endpoint_manage_firewall opens it"),
        "firewall_drops_clients": Code(
            ERROR, PREFLIGHT, "clients can't reach the VIP while this host holds it", "{command}",
            "a note where endpoint_manage_firewall opens it"),
        "firewall_unclear": Code(
            INFO, PREFLIGHT, "its rules are more than this check understands; the test on the wire tells",
            "see that IP protocol 112 from the peers and the balancing port are let in"),
        "rp_filter_strict": Code(
            WARNING, PREFLIGHT, "strict reverse path filtering drops clients' packets to the VIP, because answers "
            "would leave by another interface",
            "`sysctl -w net/ipv4/conf/{interface}/rp_filter=2`, and keep it in /etc/sysctl.d"),
        "arp_flux": Code(
            WARNING, PREFLIGHT, "the kernel answers for an address on whatever interface it's asked, so peers may "
            "send VRRP to the one where keepalived doesn't listen, and two hosts hold the VIP",
            "take {other} out of that subnet, or `sysctl -w net.ipv4.conf.all.arp_ignore=1 "
            "net.ipv4.conf.all.arp_announce=2` there, and keep it in /etc/sysctl.d"),
        "folder_read_only": Code(
            ERROR, PREFLIGHT, "configurations, units and notes belong there, and a run would end in the middle",
            "mount its file system to be written, unless an error has made it read-only (findmnt -T and the kernel's "
            "log say more), or take the attribute i away from the folder, which lsattr -d shows"),
        "nonlocal_bind_readonly": Code(
            ERROR, PREFLIGHT, "endpoints share a port, so HAProxy binds VIPs that the host doesn't hold yet, and that "
            "needs {setting} = 1",
            "set it where the host's network namespace is made, or give each endpoint a port of its own"),
        "nonlocal_bind_overridden": Code(
            WARNING, PREFLIGHT, "after the next boot HAProxy couldn't bind VIPs that the host doesn't hold",
            "{command}"),
    },
    "Who takes the VIP for its own": {
        "kubelet_took_vip": Code(
            ERROR, PREFLIGHT + STATUS, "the node's address must stay on the node, and the VIP moves: its pods and its "
            "API server get lost with it",
            "set --node-ip={address} for the kubelet (nodeRegistration.kubeletExtraArgs) and restart it"),
        "kubelet_node_ip_unset": Code(
            WARNING, PREFLIGHT + STATUS, "a kubelet that chooses for itself can choose the VIP when it starts on the "
            "holder",
            "set --node-ip={address} for the kubelet (nodeRegistration.kubeletExtraArgs, or KUBELET_EXTRA_ARGS)"),
        "hostname_is_vip": Code(
            ERROR, PREFLIGHT, "the kubelet and kubeadm take the address of the host's name for the node's own",
            "let the host's name in /etc/hosts be the host's own address; give the VIP another name "
            "(endpoint_dns_name)"),
        "component_uses_vip": Code(
            ERROR, PREFLIGHT, "it stops working, or answers for another host, when the VIP moves",
            "give it the host's own address, {address}", "a warning for kube-apiserver"),
        "calico_may_take_vip": Code(
            WARNING, PREFLIGHT, "Calico takes the first address that it finds for the node's, and that can be the VIP",
            "set IP_AUTODETECTION_METHOD of calico-node to kubernetes-internal-ip, or to cidr= with the members' "
            "subnet"),
    },
    "Clients": {
        "certificate_lacks_vip": Code(
            WARNING, PREFLIGHT + STATUS, "clients that come by way of the VIP refuse this certificate",
            "add {wanted} to apiServer.certSANs of kubeadm's ClusterConfiguration, then there `rm "
            "/etc/kubernetes/pki/apiserver.crt /etc/kubernetes/pki/apiserver.key` and `kubeadm init phase certs "
            "apiserver --config FILE`; restart the API server where it goes on with the former one"),
    },
    "The check itself": {
        "check_incomplete": Code(
            INFO, PREFLIGHT, "what can't be read can't be judged", "see that Ansible runs as root there"),
        "accept_unknown": Code(
            WARNING, PREFLIGHT, "no finding has this code, so nothing is accepted by it",
            "correct endpoint_accept_findings"),
    },
    "The network": {
        "vrid_in_use": Code(
            ERROR, PREFLIGHT, "routers with one virtual router ID take each other for their own: the VIP would go to "
            "whoever has the higher priority, or to nobody",
            "set endpoint_virtual_router_id to a free one, for example {free}; or stop {router}"),
        "vrid_in_use_unheard": Code(
            WARNING, PREFLIGHT, "as long as this endpoint uses unicast and they use multicast, they don't hear each "
            "other; if that changes, the VIP goes to whoever has the higher priority",
            "set endpoint_virtual_router_id to a free one, for example {free}; or stop {router}"),
        "vrid_priority_255": Code(
            ERROR, PREFLIGHT, "nothing is above priority 255: no member of this endpoint would hold the VIP while "
            "that router lives", "set endpoint_virtual_router_id to a free one, for example {free}; or stop {router}"),
        "vip_under_other_vrid": Code(
            ERROR, PREFLIGHT, "routers with another virtual router ID don't hear these: both would hold the address, "
            "and clients reach one or the other", "stop what holds {vips} on {router}, or choose another endpoint_vip"),
        "takeover_changes_vrid": Code(
            INFO, PREFLIGHT, "members before and after it don't hear each other, so one side at a time speaks: "
            "keepalived stops on the backups, the holder changes with the VIP on its loopback interface meanwhile, the "
            "backups follow", "set endpoint_virtual_router_id: {vrid} to keep what is there",
            "only where endpoint_adopt is set"),
        "vip_in_use": Code(
            ERROR, PREFLIGHT, "two machines with one address: clients reach one or the other",
            "{repair}, or choose another endpoint_vip"),
        "former_member_serves": Code(
            ERROR, PREFLIGHT, "it goes on by itself: once the others have forgotten it, it hears nobody and holds the "
            "VIP as well. A slice of a job, or a wrong file, is an inventory that lacks hosts",
            "have {former} balance as before; or keep it in the inventory, and run the playbook remove with "
            "-e endpoint_hosts={former}"),
        "vip_two_holders": Code(
            WARNING, PREFLIGHT, "clients reach one or the other",
            "see whether VRRP passes between them; running `site` mends two holders that don't depend on the network"),
        "vip_held_unplanned": Code(
            WARNING, PREFLIGHT, "keepalived takes over an address that is there already, and takes it away when "
            "another member holds",
            "take it off, unless you know what put it there: `ip -o address show to {address} | while read -r _ "
            "interface _ address _; do ip address del $address dev \"${{interface%@*}}\"; done` there"),
        "address_in_use": Code(
            WARNING, PREFLIGHT, "two machines with one address: VRRP and API traffic reach one or the other",
            "give one of the two another address"),
        "vrrp_blocked": Code(
            ERROR, PREFLIGHT, "members that don't hear each other all hold the VIP at the same time", "{repair}",
            "a note where this run opens the packet filter"),
        "vrrp_lossy": Code(
            WARNING, PREFLIGHT, "a backup that misses adverts takes the VIP although the holder is well",
            "mend the network, or set endpoint_timing: safe"),
        "vrrp_untested": Code(
            INFO, PREFLIGHT, "a firewall between them would be noticed only when two members hold the VIP",
            "run `preflight` {how}"),
        "vrrp_malformed": Code(
            WARNING, PREFLIGHT, "no member believes such packets: whoever sends them isn't heard",
            "stop what sends them: the switch knows the port of its MAC address, and `tcpdump -eni {interface} -vvv "
            "'ip proto 112 or ip6 proto 112'` shows them"),
        "vrrp_stranger": Code(
            WARNING, PREFLIGHT + STATUS, "keepalived looks at every packet with this virtual router ID before it "
            "drops it; a flood of them costs it time, and one that copies a member's adverts is believed where they "
            "carry no authentication",
            "stop what sends it: the switch knows the port of its MAC address, and `tcpdump -eni {interface} -vvv 'ip "
            "proto 112 or ip6 proto 112'` shows more; of a member, run `site` for it"),
        "wire_untested": Code(
            WARNING, PREFLIGHT, "conflicts there would be noticed only once the endpoint runs",
            "mend that and run `preflight` again"),
    },
    "The VIP": {
        "no_holder": Code(
            ERROR, STATUS, "clients reach nobody",
            "look at `journalctl -u keepalived` on the members: an instance in FAULT has a missing interface or a "
            "dead HAProxy"),
        "two_holders": Code(
            ERROR, STATUS, "clients reach one or the other",
            "the members don't hear each other: let VRRP (IP protocol 112) pass between them, and see that no other "
            "keepalived of the segment uses this virtual router ID"),
        "wrong_holder": Code(
            ERROR, STATUS, "the endpoint works, but not where it was planned: something keeps the preferred host from "
            "holding", "mend what keeps the preferred host from holding, or run `site` again when it's well"),
        "takeover_pending": Code(
            WARNING, STATUS, "the preferred host is well again and takes the VIP back soon",
            "wait; failback_delay lets a host that has come back settle first"),
        "unsettled": Code(
            ERROR, STATUS, "what was seen last is as planned, but it didn't stay so while the run waited",
            "look at `journalctl -u keepalived -u haproxy` there: something comes and goes"),
        "vips_split": Code(
            ERROR, STATUS, "clients of one address may reach an API server while those of the other don't",
            "reload keepalived on the members: its sync group moves all addresses together"),
        "vip_silent": Code(
            OWN, STATUS, "clients on that host, and perhaps others, can't reach the API",
            "let the port pass the firewalls between these hosts, and see that no other machine uses the address"),
        "vip_wrong_answer": Code(
            OWN, STATUS, "clients are connected, and aren't served",
            "ask the API servers themselves, then see HAProxy's log on the holder"),
        "vip_untried": Code(
            WARNING, STATUS, "that somebody holds the VIP doesn't prove that it answers",
            "run `status`, which connects to the VIP from every member"),
        "stale_vip": Code(
            OWN, STATUS, "clients may go on using an address that nobody takes over",
            "restart keepalived there; it drops what it doesn't manage any more"),
    },
    "Whether a host is there and has the plan": {
        "host_unreachable": Code(
            ERROR, STATUS, "nothing is known of what it does", "see that the host runs and that Ansible can log in"),
        "not_seen": Code(
            WARNING, STATUS, "only root can look there, so it wasn't judged; nothing is guessed",
            "run it with become, or accept this finding"),
        "not_observed": Code(INFO, STATUS, "what it does wasn't judged", "run without --limit to include it"),
        "not_deployed": Code(
            ERROR, STATUS, "it's planned to balance the endpoint, and can't", "run `site` for this host"),
        "not_deployed_yet": Code(
            INFO, STATUS, "it's planned to balance the endpoint, and this run doesn't come to it",
            "its turn comes later, or run `site` for it"),
        "odd_answer": Code(
            WARNING, STATUS, "a host that is old, broken or taken over can say anything of itself",
            "see whether the host is what it should be; what it said besides is believed as far as others don't deny "
            "it"),
        "plan_differs": Code(
            ERROR, STATUS, "members that don't agree don't take over from each other as planned",
            "run `site` without --limit"),
        "plan_outdated": Code(
            WARNING, STATUS, "members that don't agree don't take over from each other as planned; this run leaves "
            "some out", "run `site` without --limit"),
        "file_drifted": Code(
            OWN, STATUS, "the next run overwrites the change",
            "run `site` to put it back, or move the change into the variables"),
        "notes_lost": Code(
            OWN, STATUS, "files that a later run gives up, and what somebody else changes in ours, may not be noticed; "
            "`drain` and a run that fails may not know what keepalived has",
            "run `site` for this host; it makes them anew"),
        "version_older": Code(
            OWN, STATUS, "the plan may use what this version can't do",
            "run `site` again, so that the plan uses only what this version can do"),
    },
    "Daemons": {
        "service_down": Code(
            OWN, STATUS, "without both daemons the host can't take the VIP over",
            "unmask it where it's masked, and run `site`, which starts it; where it ends again, `journalctl -u haproxy "
            "-u keepalived` there says why"),
        "pod_down": Code(
            OWN, STATUS, "without both pods the host can't take the VIP over",
            "see /var/log/pods/*kubeha-* and `journalctl -u kubelet` there: perhaps its image can't be had, or it "
            "doesn't stay up"),
        "manifest_missing": Code(
            OWN, STATUS, "a kubelet stops the pod of a manifest that is gone",
            "run `site` for this host; `kubeadm reset` empties the folder"),
        "kubelet_absent": Code(
            OWN, STATUS, "static pods are started by a kubelet: right before `kubeadm init` or `join`, wrong after it",
            "start the kubelet with `kubeadm init` or `join`; it starts the pods, and `status` proves them"),
        "service_disabled": Code(
            OWN, STATUS, "a host that boots would not take part", "run `site`; a host that boots would not take part"),
        "watchdog_stopped": Code(
            OWN, STATUS, "a keepalived that hangs would keep the VIP beside another host that has taken over",
            "run `site`; it starts it"),
        "reload_pending": Code(
            OWN, STATUS, "what is in place isn't what runs",
            "run `site`; it reloads what runs something else than what is there"),
        "running_unknown": Code(
            OWN, STATUS, "whether what is in place also runs can't be told",
            "run `site` again; the systemd drop-in records it at the next start or reload"),
        "restart_pending": Code(
            OWN, STATUS, "an older program or unit runs than the one that is there",
            "when it suits, backups first: {command}"),
        "drained": Code(
            OWN, STATUS, "it takes the VIP over only where nobody else can",
            "run `undrain` for it when it may serve again"),
        "left_moving": Code(
            OWN, STATUS, "it takes the VIP over only where nobody else can", "run `site` again; it takes that back"),
        "gives_way": Code(
            OWN, STATUS, "two hosts would have the VIP; this one tries again after a minute, and later and later",
            "find what loses its packets of IP protocol 112 on their way: a packet filter of either host, the switch "
            "between them"),
        "stopped_for_change": Code(
            OWN, STATUS, "it can't take the VIP over meanwhile",
            "wait until that run is ready; where it's gone, run `site` again, which ends what it began"),
        "started_by_itself": Code(
            OWN, STATUS, "it may not agree with the members that were changed since",
            "run `site` again; it ends what that run began"),
        "keepalived_hung": Code(OWN, STATUS, "it neither hands the VIP over nor takes it", "{command}"),
        "keepalived_silent": Code(
            OWN, STATUS, "how its instances are can't be told",
            "see the journal of keepalived there; it should write its state when it's asked"),
        "keepalived_fault": Code(
            OWN, STATUS, "an instance in FAULT can't hold the VIP",
            "see the journal of keepalived there: it names what it tracks and misses"),
        "haproxy_hung": Code(
            OWN, STATUS, "it accepts connections and serves nobody, and doesn't react to a reload either", "{command}"),
        "haproxy_silent": Code(
            OWN, STATUS, "how it is, and which API servers it sees, can't be told",
            "see the journal of haproxy there; the stats socket should answer root"),
        "haproxy_nearly_full": Code(
            OWN, STATUS, "clients that come next wait in a queue",
            "find out who has them by `show table` on HAProxy's socket, or raise haproxy_maxconn or endpoint_nodes"),
        "haproxy_source_refused": Code(
            OWN, STATUS, "one source has as many connections as one may have",
            "find out who has that many by `show table` on HAProxy's socket; if they need them, raise "
            "haproxy_maxconn_per_source"),
    },
    "API servers": {
        "backend_missing": Code(
            OWN, STATUS, "that API server gets no connections from here", "run `site` for this host"),
        "backend_unplanned": Code(OWN, STATUS, "clients are sent to what isn't planned", "run `site` for this host"),
        "backend_down": Code(
            OWN, STATUS, "that API server gets no connections from here though it listens",
            "the port is open but the health check fails: ask the API server for its health path, and see that "
            "nothing (SELinux, a proxy) stands between"),
        "backend_silent": Code(
            OWN, STATUS, "the others serve; one API server less may fail",
            "start the API server, or take the host out of endpoint_apiserver_hosts"),
        "backend_disabled": Code(
            OWN, STATUS, "that API server gets no connections from here",
            "somebody disabled it on the stats socket: enable it there, or reload haproxy"),
        "no_apiserver": Code(
            OWN, STATUS, "the VIP takes connections, and nobody answers behind it: right before `kubeadm init`, wrong "
            "after it", "start one with kubeadm; the VIP is ready for it"),
        "anonymous_denied": Code(
            OWN, STATUS, "it's alive, but whether it's ready isn't known",
            "the API server answers 401, so it's alive but its readiness is unknown: allow anonymous requests to its "
            "health paths"),
    },
}

CODES: dict[str, Code] = {
    code: entry._replace(severity=entry.severity or _finding.OWN[code])
    for section in SECTIONS.values() for code, entry in section.items()
}


# What a run can be told to live with: all that isn't the plan's own.
ACCEPTABLE = frozenset(code for code, entry in CODES.items() if entry.by != PLAN)


def finding_of(code: str, seen: str, host: str | None = None, endpoint: str | None = None, severity: str | None = None,
               **words: t.Any) -> Finding:
    return Finding(code, severity or CODES[code].severity, host, endpoint, seen, tuple(
        (name, str(word)) for name, word in words.items()))


def fix_of(found: Finding) -> str:
    return CODES[found.code].fix.format(**{"host": found.host, **dict(found.words)})


def told(found: Finding) -> dict[str, t.Any]:
    """A finding as preflight and segment return it."""
    why = CODES[found.code].why.format(**{"host": found.host, **dict(found.words)})
    return {"code": found.code, "severity": found.severity, "host": found.host, "endpoint": found.endpoint,
            "seen": found.seen, "why": why, "fix": fix_of(found)}
