import sys
from pathlib import Path

# The generator lies beside the test folders, and is found whatever pytest's import mode.
sys.path.insert(0, str(Path(__file__).parents[1]))
