from tamis.inspect import blocks


def test_layers_go_with_the_block_whose_number_their_name_holds():
    names = ["embed", "layer.0.query", "layer.0.ffn.1", "layer.1.query", "0", "2", "pooler.dense"]
    assert blocks(names) == {
        "embed": ["embed"],
        "layer.0": ["layer.0.query", "layer.0.ffn.1"],
        "layer.1": ["layer.1.query"],
        "0": ["0"],
        "2": ["2"],
        "pooler.dense": ["pooler.dense"],
    }
