"""A table as NumPy reads it, and class indices as scikit-learn's LabelEncoder gives them.

Run: python tests/reference/csv_table.py
"""

import io

import numpy as np
from encode import tensor, write
from sklearn.preprocessing import LabelEncoder

text = """length,width,species,count
5.1,3.5,setosa,1
7.0, 3.2 ,versicolor,-2e3
,0.125,"virginica, blue",3
6.3,NaN,setosa,+4
-1e-3,3.3,Zinnia,1000000
"""

rows = io.StringIO(text.replace('"virginica, blue"', "other"))
numbers = np.genfromtxt(rows, delimiter=",", skip_header=1, usecols=(0, 1, 3)).astype(np.float32)
encoder = LabelEncoder()
labels = encoder.fit_transform(["setosa", "versicolor", "virginica, blue", "setosa", "Zinnia"])
write("csv_table", {
    "text": text,
    "tensor": tensor(numbers),
    "known": tensor(np.nan_to_num(numbers, nan=-1)),
    "labels": tensor(labels),
    "classes": encoder.classes_.tolist(),
})
