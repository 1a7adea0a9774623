"""From a spec's YAML to the resolved configs of a sweep's runs."""
