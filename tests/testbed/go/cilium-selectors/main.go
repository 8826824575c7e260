// selectors: what Cilium's own code makes of the selectors of network policies, and whom they select.
//
// Reads {"policies": [{"kind": K, "object": O}], "identities": [{"source:key": "value"}]} from stdin, and writes for each
// policy {"error": E} or {"selectors": [{"use": U, "selected": [places of identities]}]}, in the order in which the policy has
// them: its subject first, then for each rule of ingress, ingressDeny, egress and egressDeny its peers.
package main

import (
	"encoding/json"
	"log/slog"
	"os"
	"strings"

	cmtypes "github.com/cilium/cilium/pkg/clustermesh/types"
	"github.com/cilium/cilium/pkg/k8s"
	v2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	networking "github.com/cilium/cilium/pkg/k8s/slim/k8s/api/networking/v1"
	"github.com/cilium/cilium/pkg/labels"
	"github.com/cilium/cilium/pkg/policy/api"
)

type policy struct {
	Kind   string          `json:"kind"`
	Object json.RawMessage `json:"object"`
}

type selector struct {
	Use      string `json:"use"`
	Selected []int  `json:"selected"`
}

type answer struct {
	Error     string     `json:"error,omitempty"`
	Selectors []selector `json:"selectors"`
}

func main() {
	var asked struct {
		Policies   []policy            `json:"policies"`
		Identities []map[string]string `json:"identities"`
	}
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		slog.Error("no question", "error", err)
		os.Exit(1)
	}
	identities := make([]labels.LabelArray, 0, len(asked.Identities))
	for _, one := range asked.Identities {
		array := labels.LabelArray{}
		for name, value := range one {
			source, key, _ := strings.Cut(name, ":")
			array = append(array, labels.NewLabel(key, value, source))
		}
		identities = append(identities, array.Sort())
	}
	answers := make([]answer, 0, len(asked.Policies))
	for _, one := range asked.Policies {
		answers = append(answers, answered(one, identities))
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		os.Exit(1)
	}
}

func answered(one policy, identities []labels.LabelArray) answer {
	rules, err := parsed(one)
	if err != nil {
		return answer{Error: err.Error()}
	}
	found := []selector{}
	add := func(use string, selectors ...api.EndpointSelector) {
		for _, each := range selectors {
			selected := []int{}
			for place, identity := range identities {
				if each.Matches(identity) {
					selected = append(selected, place)
				}
			}
			found = append(found, selector{Use: use, Selected: selected})
		}
	}
	for _, rule := range rules {
		if rule.EndpointSelector.LabelSelector != nil {
			add("subject", rule.EndpointSelector)
		}
		for _, each := range rule.Ingress {
			add("allow", each.FromEndpoints...)
			add("require", each.FromRequires...)
		}
		for _, each := range rule.IngressDeny {
			add("deny", each.FromEndpoints...)
			add("require", each.FromRequires...)
		}
		for _, each := range rule.Egress {
			add("allow", each.ToEndpoints...)
			add("require", each.ToRequires...)
		}
		for _, each := range rule.EgressDeny {
			add("deny", each.ToEndpoints...)
			add("require", each.ToRequires...)
		}
	}
	return answer{Selectors: found}
}

func parsed(one policy) (api.Rules, error) {
	logger := slog.New(slog.DiscardHandler)
	switch one.Kind {
	case "NetworkPolicy":
		var object networking.NetworkPolicy
		if err := json.Unmarshal(one.Object, &object); err != nil {
			return nil, err
		}
		return k8s.ParseNetworkPolicy(logger, cmtypes.PolicyAnyCluster, &object)
	case "CiliumNetworkPolicy":
		var object v2.CiliumNetworkPolicy
		if err := json.Unmarshal(one.Object, &object); err != nil {
			return nil, err
		}
		return object.Parse(logger, cmtypes.PolicyAnyCluster)
	default:
		var object v2.CiliumClusterwideNetworkPolicy
		if err := json.Unmarshal(one.Object, &object); err != nil {
			return nil, err
		}
		return object.Parse(logger, cmtypes.PolicyAnyCluster)
	}
}
