"""Names files that may hold secrets: keys, tokens, and the settings of programs that keep them there."""

from fnmatch import fnmatchcase

_FOLDERS = {
    ".ssh", ".aws", ".azure", ".boto", ".cache", ".config", ".docker", ".gcloud", ".gem", ".gnupg", ".huggingface",
    ".jupyter", ".kaggle", ".kube", ".local", ".mozilla", ".oci", ".password-store", ".pki", ".ray", ".secrets",
    ".terraform.d", ".vault", "legacy_credentials", "secrets",
}  # fmt: skip
_FILES = (
    ".env*", "*.env", ".netrc", "_netrc", ".git-credentials", ".gitconfig", ".pypirc", ".npmrc", ".yarnrc*", ".pgpass",
    ".my.cnf", ".mylogin.cnf", ".htpasswd", ".dockercfg", ".dockerconfigjson", ".s3cfg", ".boto", ".vault-token",
    ".databrickscfg", ".condarc", ".cdsapirc", ".kaggle", ".terraformrc", "pip.conf", "pip.ini", "kaggle.json",
    "*_history", "auth_token", "token", "token.json", ".token", "*.token", "*.pem", "*.key", "*.p8", "*.p12", "*.pfx",
    "*.jks", "*.keystore", "*.kdbx", "*.ppk", "*.gpg", "*.ovpn", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*",
    "kubeconfig*", "*.kubeconfig", "*.tfstate", "*.tfstate.*", "*.tfvars", "*.tfvars.json", "client_secret*.json",
    "service?account*.json", "serviceaccount*.json", "application_default_credentials*", "access_tokens.db",
    "credentials.db", ".renviron", "token.txt",
)  # fmt: skip
_WORDS = {"credential", "credentials", "secret", "secrets", "password", "passwords", "passwd"}
_SUFFIXES = {"json", "yaml", "yml", "toml", "ini", "cfg", "conf", "txt", "csv", "xml", "properties"}
"""Of settings."""


def may_be_secret(name: str, is_folder: bool) -> bool:
    """Whether a file or folder of that name may hold secrets. Case does not count, as on some file systems."""
    name = name.lower()
    if is_folder:
        return name in _FOLDERS
    stem, _, suffix = name.lstrip(".").partition(".")
    if suffix == "py":
        return name.startswith(".env")
    return (stem in _WORDS and suffix in {"", *_SUFFIXES}) or any(fnmatchcase(name, pattern) for pattern in _FILES)
