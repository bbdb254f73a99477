"""What a node says of itself, asked here without Ray: storage that works, and storage that does not."""

import pytest

from antisample.storage.object_store import Address
from cluster.node_facts import facts_of_this_node


def parcel(address):
    place = Address.parse(address)
    return place.scheme, place.path, place.options


@pytest.mark.integration
def test_a_store_that_can_be_used_is_left_as_it_was(s3):
    facts = facts_of_this_node(None, "nonce", parcel(s3.address("node-facts")))
    assert facts["store"] == ""
    assert s3.keys("node-facts") == []


@pytest.mark.integration
def test_a_store_without_the_bucket_is_named(s3):
    facts = facts_of_this_node(None, "nonce", parcel(s3.address("node-facts", "absent")))
    assert facts["store"].startswith("cannot be used (")


def test_a_shared_folder_needs_the_file_that_the_driver_wrote(tmp_path):
    assert "No such file" in facts_of_this_node(str(tmp_path), "nonce")["shared"]
    (tmp_path / ".check-nonce").write_text("another")
    assert (
        facts_of_this_node(str(tmp_path), "nonce")["shared"]
        == "holds a different file from the one that the driver wrote"
    )
    (tmp_path / ".check-nonce").write_text("nonce")
    assert facts_of_this_node(str(tmp_path), "nonce")["shared"] == ""
    assert len(list(tmp_path.glob(".check-nonce-*"))) == 1


@pytest.mark.parametrize("fact", ["antisample", "python", "torch", "ray"])
def test_versions_and_places_are_those_of_this_environment(fact):
    facts = facts_of_this_node(None, "")
    assert facts[fact]
    assert len(set(facts["places"].values())) == 1
