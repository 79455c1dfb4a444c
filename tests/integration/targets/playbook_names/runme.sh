#!/usr/bin/env bash
# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Names that users give, with the playbooks themselves: what is refused is refused before a host is contacted.

set -eu

# refused CODES PLAYBOOK ARGUMENT...: all of these problems at once, and nothing else happened.
refused() {
    local codes=$1 playbook=$2 output code
    shift 2
    [[ $playbook == */* ]] || playbook=kubeha.apiserver.$playbook
    if output=$(ansible-playbook "$playbook" "$@" 2>&1); then
        echo "$output"
        echo "$playbook $*: it ended well"
        exit 1
    fi
    for code in $codes; do
        grep -qF "[$code]" <<<"$output" || { echo "$output"; echo "$playbook $*: not $code"; exit 1; }
    done
    if grep -qE 'Traceback|UNREACHABLE|/nowhere/python|Observe|Look at' <<<"$output"; then
        echo "$output"
        echo "$playbook $*: a host was contacted"
        exit 1
    fi
}

on=(-i inventory.yml)
python=$(command -v python3)

# Exactly the hosts that are named, or none. An empty pattern would be all hosts.
for playbook in drain undrain remove; do
    refused hosts_unnamed "$playbook" "${on[@]}" -e endpoint_hosts=
done
refused hosts_unnamed drain "${on[@]}" -e '{"endpoint_hosts": null}'
refused hosts_unnamed remove "${on[@]}"
refused 'host_unknown host_pattern group_empty' remove "${on[@]}" -e 'endpoint_hosts=cp2,cp9,!cp1,nobody'
refused host_pattern remove "${on[@]}" -e endpoint_hosts=all,cp1
refused host_pattern remove "${on[@]}" -e 'endpoint_hosts=all:!w1'
refused host_outside_limit remove "${on[@]}" -e endpoint_hosts=cp1,cp2 --limit cp1
refused 'host_not_balancer host_outside_limit' drain "${on[@]}" -e endpoint_hosts=cp1,cp2,w1 --limit cp1

refused 'host_unknown host_pattern' import "${on[@]}" -e 'endpoint_hosts=cp1,cp9,cp*'
refused host_outside_limit import "${on[@]}" -e endpoint_hosts=cp1,cp2 --limit cp1

# A run on nobody isn't a run that was proven.
for playbook in site plan preflight status; do
    refused no_host "$playbook" "${on[@]}" --limit w1
done
refused tag_unknown site "${on[@]}" --tags nope
refused tag_unknown drain "${on[@]}" -e endpoint_hosts=cp1 --tags haproxy
for playbook in site remove; do
    if output=$(ansible-playbook "kubeha.apiserver.$playbook" "${on[@]}" -e endpoint_hosts=cp1 --skip-tags always 2>&1); then
        echo "$output" && exit 1
    fi
    grep -q "leave --skip-tags always out" <<<"$output"
done
refused inventory_empty site -i nowhere.yml
refused inventory_empty remove -i nowhere.yml -e endpoint_hosts=cp1
refused hosts_missing plan "${on[@]}" -e endpoint_lb_hosts=nobody

# No host is made up.
refused host_unknown site "${on[@]}" -e endpoint_lb_hosts=cp1,cp2,cp-3
refused host_unknown status "${on[@]}" -e '{"endpoint_lb_hosts": "[\"cp1\", \"cp-3\"]"}'

# Two clusters: whoever comes first in the inventory, or is left by --limit, doesn't decide.
refused intent_several plan -i two.yml
refused intent_several site -i two.yml --limit beta

# A slice of a job of AWX: a group may be cut without a sign of it; of hosts that are named all have to be there.
slice=(-e awx_workflow_job_name=site -e awx_job_template_name=site)
for playbook in site status; do
    refused job_sliced "$playbook" "${on[@]}" "${slice[@]}"
done
names='{"endpoint_lb_hosts": ["cp1", "cp2"], "endpoint_apiserver_hosts": ["cp1", "cp2"]}'
ansible-playbook kubeha.apiserver.plan "${on[@]}" "${slice[@]}" -e "$names"
refused host_unknown plan "${on[@]}" "${slice[@]}" -e "${names//cp2/cp9}"

# The same plan, whoever is left by --limit: the balancers' group alone says who balances, and on which port.
for limit in all mine_2 mine_2,cp1; do
    ansible-playbook kubeha.apiserver.plan -i balancers.yml --limit "$limit" -e "endpoint_plan_file=$PWD/$limit.json"
    cmp all.json "$limit.json"
done
grep -q '"port": 7443' all.json
grep -q '"host": "mine_1"' all.json
rm ./*.json

# Where each host goes its own way, nothing is done one after the other.
ANSIBLE_STRATEGY=free refused strategy_unsupported site "${on[@]}"
ANSIBLE_STRATEGY=ansible.builtin.host_pinned refused strategy_unsupported ./roles.yml "${on[@]}"

# Who is asked on behalf of another is asked by its own variables, not by those of whoever asks.
rm -f ssh.log
ansible-playbook -i delegates.yml delegate.yml
for way in 2:cp2.mgmt 3:cp3.mgmt 4:plain; do
    grep -q "Port=220${way%:*} .*user-cp${way%:*}.* ${way#*:}.example.org" ssh.log
done
if grep 'cp1' ssh.log; then
    exit 1
fi
rm ssh.log

# Several names of one machine: the first look tells.
for arguments in 'site --check' preflight; do
    # shellcheck disable=SC2086  # a playbook and its options
    if output=$(ansible-playbook -i inventory.yml -e "ansible_python_interpreter=$python" -e ansible_become=false \
            kubeha.apiserver.$arguments 2>&1); then
        echo "$output"
        exit 1
    fi
    grep -q 'cp1 and cp2 are one machine.*\[machine_twice\]' <<<"$output" || { echo "$output"; exit 1; }
done
