"""Count the language of the train documents. Run by DVC from the repository's root: `dvc repro language`."""

from pathlib import Path

from emnist_lines.common import config, errors
from emnist_lines.language import language_file
from emnist_lines.language.config import LanguageConfig
from emnist_lines.language.documents import read_documents
from emnist_lines.language.smoothing import build

DOCUMENTS, LANGUAGE = Path("data/train_documents.txt"), Path("models/language.safetensors")


def main() -> None:
    values: LanguageConfig = config.load(Path("params.yaml"), language=LanguageConfig)
    language_file.save(LANGUAGE, build(read_documents(DOCUMENTS), values))


if __name__ == "__main__":
    errors.run(main, {str(DOCUMENTS): "make it with `dvc repro --force synthesize`"})
