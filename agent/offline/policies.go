package offline

import (
	"fmt"

	"github.com/thingwarden/thingwarden/agent/config"
	"github.com/thingwarden/thingwarden/discovery/product"
	"github.com/thingwarden/thingwarden/policy"
)

// LoadPolicies loads the built-in packs and those of the owner, without the
// policies that the owner switched off. The error holds every mistake of every
// file.
func LoadPolicies(cfg config.Config) (*policy.Set, error) {
	cards, err := LoadCards()
	if err != nil {
		return nil, err
	}
	return LoadPoliciesWith(cfg, cards)
}

// LoadCards loads the cards of products.
func LoadCards() (*product.Cards, error) {
	cards, err := product.Load()
	if err != nil {
		return nil, fmt.Errorf("loading product cards: %w", err)
	}
	return cards, nil
}

// LoadPoliciesWith is LoadPolicies with the cards, which are large.
func LoadPoliciesWith(cfg config.Config, cards *product.Cards) (*policy.Set, error) {
	packs := policy.Builtin()
	for _, dir := range cfg.Policies.Packs {
		packs = append(packs, policy.DirPack(dir))
	}
	set, err := policy.Load(policy.Options{
		Steps:     cards.Remedies(),
		Disable:   cfg.Policies.Disable,
		DisableAt: func(i int) string { return cfg.Place(fmt.Sprintf("policies.disable[%d]", i)) },
	}, packs...)
	if err != nil {
		return nil, fmt.Errorf("loading policies: %w", err)
	}
	return set, nil
}
