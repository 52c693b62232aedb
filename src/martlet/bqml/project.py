"""Writing a conversion into a folder of a dbt project."""

from __future__ import annotations

from pathlib import Path

from martlet.bqml.convert import Conversion
from martlet.bqml.render import MARK, sources_file
from martlet.errors import MartletError

__all__ = ["SOURCES", "write_project"]

#: The file with the sources.
SOURCES = "_bigquery__sources.yml"


def write_project(conversion: Conversion, folder: Path) -> list[Path]:
    """Write the models and the sources; overwrite only what this command has written before.

    Parameters
    ----------
    conversion : Conversion
        What to write.
    folder : Path
        Where; made when it is not there.

    Returns
    -------
    list of Path
        The files, in their order.

    Raises
    ------
    MartletError
        When a file of one of the names is somebody's own.
    """
    texts = {folder / f"{file.name}.sql": file.text for file in conversion.files}
    sources = sources_file(conversion.names)
    if sources is not None:
        texts[folder / SOURCES] = sources
    for path in texts:
        if path.exists() and MARK not in path.read_text(encoding="utf-8").split("\n", 1)[0]:
            raise MartletError(
                f"{path} is there already and was not written by this command: "
                "move it away, or choose another --output."
            )
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    return list(texts)
