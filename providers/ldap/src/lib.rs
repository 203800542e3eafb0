//! People and groups of an LDAP directory.
