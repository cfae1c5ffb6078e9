"""Who may send what: identities, their file, the broker's rules, and the services' passwords."""
